"""The domain: memories, scopes, queries, and what can be done with them. Knows no protobuf, no gRPC and no engine."""
