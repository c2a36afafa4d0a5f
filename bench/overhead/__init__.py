"""What the service costs beside the engine, bare gRPC and the Valkey cookbook's code."""
