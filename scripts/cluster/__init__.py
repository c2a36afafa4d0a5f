"""A walk over a real Kubernetes: see walk.py."""
