"""From what a vendor says of its pipelines to counts and to metric text. Pure: no I/O, no vendor, no HTTP."""
