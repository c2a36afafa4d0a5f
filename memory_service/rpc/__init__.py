"""The gRPC face: semantic_memory.v1.MemoryService on grpc.aio."""
