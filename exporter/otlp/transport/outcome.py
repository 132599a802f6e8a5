"""What became of one request: plain data, the same for every protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Code = str
"""The HTTP status, the gRPC name, or `timeout`, `connect` or `tls`; empty where no request was made."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination has the records, but for those that it rejected for good."""

    code: Code
    rejected: int = 0
    message: str = ""
    """What the destination says of what it rejected, or a warning."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The same request may succeed later. With `after_seconds` the destination asked for that much quiet."""

    after_seconds: float | None
    code: Code
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedData:
    """An answer about the data: the same records will be refused again."""

    code: Code
    reason: str


@dataclass(frozen=True, slots=True)
class RefusedDestination:
    """An answer about the destination or our right to use it: any records would be refused."""

    code: Code
    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Any other refusal."""

    code: Code
    reason: str


Outcome = Accepted | Retry | RefusedData | RefusedDestination | Refused


class Transport(Protocol):
    """One way to a destination."""

    async def send(self, request: bytes, records: int) -> Outcome:
        """Send an Export…ServiceRequest that holds so many records or spans. Raises nothing but on cancellation."""

    async def close(self) -> None:
        """Close connections or files."""
