"""OpenTelemetry over OTLP/HTTP: metrics and traces of a run."""
