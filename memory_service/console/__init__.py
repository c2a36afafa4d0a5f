"""A web page for people who would rather look: a client of the gRPC API like any other."""
