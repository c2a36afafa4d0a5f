"""Fault tests on real processes. docs/faults.md says what callers see of each fault."""
