"""Tests on a real engine and a real server: see conftest.py."""
