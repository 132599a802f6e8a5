"""Grafana dashboards and the alert rules of Prometheus; `generate` writes the former."""
