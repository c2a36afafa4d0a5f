"""Telemetry for operators: metrics, traces and a log line per call. It never contains the content of memories."""
