"""One adapter for each service: its requests, its responses and its server process."""
