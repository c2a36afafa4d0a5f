"""What operators see of the service: metrics, traces, a log line for each call. Never what people said."""
