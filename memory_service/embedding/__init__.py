"""Embedders: Amazon Bedrock and a local model, with a cache, a fair queue and a circuit breaker. Uses no gRPC."""
