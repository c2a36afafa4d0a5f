"""Checks of `memory-service doctor`: everything that a server needs, with advice where it is not as it should be."""
