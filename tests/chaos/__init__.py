"""The exporter is killed again and again under load, and must lose nothing: `python -m tests.chaos --kills 200`."""
