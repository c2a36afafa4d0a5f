"""Callers and their access: API keys, JSON Web Tokens and limits per caller. Imports neither gRPC nor protobuf."""
