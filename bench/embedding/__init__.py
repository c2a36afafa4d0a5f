"""What embeddings cost the service, by embedder and by cache state."""
