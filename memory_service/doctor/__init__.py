"""Checks of `memory-service doctor`: everything that a server needs, with advice for each problem."""
