"""The domain: memories, filters, queries and use cases. It does not depend on protobuf, gRPC or an engine."""
