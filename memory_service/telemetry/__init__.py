"""What operators see of the service: metrics, traces and a log line per call. Never the content of memories."""
