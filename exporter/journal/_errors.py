"""What can go wrong with the journal."""

from __future__ import annotations


class JournalError(Exception):
    """The journal could not be read or written; str() says which file and why."""


class JournalInUseError(JournalError):
    """Another exporter works with this journal."""
