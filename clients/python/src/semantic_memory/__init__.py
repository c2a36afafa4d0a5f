"""Stubs of the semantic_memory API, by version."""
