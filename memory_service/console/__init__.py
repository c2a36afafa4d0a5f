"""Web console for developers and operators: a client of the gRPC API."""
