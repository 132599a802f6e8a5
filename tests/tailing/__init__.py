"""Tests of exporter.tailing."""
