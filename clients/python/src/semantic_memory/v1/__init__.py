"""Generated stubs of semantic_memory.v1; `make generate` in the repository writes them."""
