"""A gRPC service that stores chat messages in Valkey and searches them by meaning."""
