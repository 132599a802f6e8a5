"""Apify and GoldRush end to end: the exporter as a process, killed and started again, against the simulator in real time."""
