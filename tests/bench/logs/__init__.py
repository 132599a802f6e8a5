"""Logs on their way from the vendor's socket to the collector's: what a line costs."""
