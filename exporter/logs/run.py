"""A run: ordinary lines that follow each other, each a record of its own, kept as columns until they are encoded.

A Python object a record, with its fields gone through one by one, would cost more than all the rest of the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from exporter.logs.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class OrdinaryHead:
    """What heads say besides the time; one object stands for all heads that say the same."""

    __slots__ = ("severity", "spans", "target", "text")

    def __init__(self, severity: str, text: bytes, target: bytes, spans: bytes) -> None:
        self.severity = severity
        self.text = text
        """The level as the line writes it."""
        self.target = target
        self.spans = spans


class Columns(NamedTuple):
    """What lines that follow each other say, each a record of its own; the columns are of equal length."""

    times_ns: list[int]
    heads: list[OrdinaryHead]
    bodies: list[bytes]
    lines: Callable[[], bytes]
    """The lines themselves."""


@dataclass(frozen=True, slots=True)
class Run:
    """Records of one line each, in columns of equal length; their lines follow each other from `first_line`."""

    first_line: int
    observed_ns: int
    times_ns: list[int]
    heads: list[OrdinaryHead]
    bodies: list[bytes]

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.bodies)

    def record(self, nth: int) -> Record:
        """Return one of the records."""
        head = self.heads[nth]
        return Record(
            self.times_ns[nth],
            self.observed_ns,
            head.severity,
            head.text,
            self.bodies[nth],
            head.target,
            head.spans,
            0,
            (),
            self.first_line + nth,
        )

    def without_last(self) -> Run:
        """Return all but the last record."""
        return Run(self.first_line, self.observed_ns, self.times_ns[:-1], self.heads[:-1], self.bodies[:-1])


def singles(found: Iterable[Record | Run]) -> list[Record]:
    """Return records one by one."""
    records: list[Record] = []
    for one in found:
        if isinstance(one, Run):
            records += map(one.record, range(one.count))
        else:
            records.append(one)
    return records
