"""The same memories through this service and through other products: see README.md."""
