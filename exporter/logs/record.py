"""The record: what a line of a log, or several that belong together, become."""

from __future__ import annotations

from typing import NamedTuple

Attributes = tuple[tuple[str, str | int | float | bool], ...]


class Record(NamedTuple):
    """One log record, before it is encoded. Every text is valid UTF-8 and free of terminal sequences."""

    time_ns: int
    """From the head of the line; 0 where it says none."""

    observed_ns: int
    """When the first line of the record was read."""

    severity: str
    """trace, debug, info, warn, error, fatal, or none."""

    severity_text: bytes
    """The level as the line writes it."""

    body: bytes
    target: bytes
    spans: bytes

    part: int
    """0 for a record's first or only part; the further parts of one that was too long count from 1."""

    attributes: Attributes
    first_line: int
    """Number of the line that it begins with, counted from 0 on the assembler that made it."""
