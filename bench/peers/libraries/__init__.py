"""What runs inside the virtual environment of a library: it imports nothing that only ours has, but for our own."""
