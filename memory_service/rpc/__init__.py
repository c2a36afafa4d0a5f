"""The gRPC server: semantic_memory.v1.MemoryService on grpc.aio. Each module is one step of a call or of the server."""
