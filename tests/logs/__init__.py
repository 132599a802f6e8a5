"""Tests of exporter.logs."""
