"""The same memories through this service and through its peers: see __main__.py."""
