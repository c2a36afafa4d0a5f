"""Server processes, load generation, data, rounds and tables that the benchmarks share."""
