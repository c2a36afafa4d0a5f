"""Server processes, load generation and tables that the benchmarks share."""
