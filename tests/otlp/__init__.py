"""Tests of exporter.otlp."""
