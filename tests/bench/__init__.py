"""How fast the service is, beside what a user would have without it. `python -m tests.bench --help`."""
