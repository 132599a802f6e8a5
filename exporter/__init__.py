"""Status and logs of hosted data pipelines for Prometheus and OpenTelemetry."""

__version__ = "0.1.0"
