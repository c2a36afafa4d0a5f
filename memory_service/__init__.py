"""semantic_memory: the memory that LLM applications lack, as a gRPC service over Valkey."""
