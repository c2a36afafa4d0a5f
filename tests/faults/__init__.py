"""Faults that are made on purpose, on real processes; docs/faults.md tells what callers see of each."""
