"""`python -m dashboards.generate`, in the root of the repository."""

from dashboards.generate import write

write()
