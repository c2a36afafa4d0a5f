"""The gRPC server: semantic_memory.v1.MemoryService on grpc.aio. call_interceptor.py lists the steps of a call."""
