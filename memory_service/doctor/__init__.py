"""`memory-service doctor`: is everything that a server needs as it should be, and what to do where it is not."""
