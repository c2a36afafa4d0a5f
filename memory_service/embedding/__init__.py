"""Embedders: Amazon Bedrock, a local model, and the cache around them. Knows no gRPC."""
