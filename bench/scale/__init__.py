"""How latency, throughput, memory and recall change as memories, callers and users grow."""
