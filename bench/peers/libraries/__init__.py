"""One adapter for each library. Each runs in the library's own virtual environment: it may import only the standard
library, numpy, the library itself, worker.py and bench.peers.workload. Ours runs in this project's environment."""
