"""What a reader of a log asks for, and the stream that it gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl

from exporter.simulator.identifiers import InvalidUuidError, parse_uuid
from exporter.simulator.log_follower import End, Follower
from exporter.simulator.version import CURSORS, NEWEST, version_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.simulator.pipeline_logs import PipelineLogs

_LARGEST = 2**64 - 1


class LogQueryError(ValueError):
    """A query of the log cannot be read; the message is the server's own."""


class LogCursorError(ValueError):
    """A cursor is no cursor; the message is the server's own."""

    def __init__(self, value: str, problem: str) -> None:
        super().__init__(problem)
        self.value = value


class LogRequest(NamedTuple):
    """The query of a log, as a server of some version reads it."""

    cursor: str | None = None
    """None is legacy mode, an empty one asks for everything and the position."""
    follow: bool = True

    @classmethod
    def read(cls, query: str, version: str) -> LogRequest:
        """Read a query; parameters that the version does not know are ignored."""
        numbers = version_numbers(version)
        cursor = _one(query, "cursor") if numbers >= CURSORS else None
        follow = _one(query, "follow") if numbers >= NEWEST else None
        if follow not in {None, "true", "false"}:
            raise LogQueryError("provided string was not `true` or `false`")
        return cls(cursor, follow != "false")

    def position(self) -> tuple[str, int] | None:
        """Return epoch and number of the cursor."""
        if self.cursor is not None and not self.follow:
            raise LogCursorError(self.cursor, "a cursor cannot be combined with follow=false")
        if not self.cursor:
            return None
        epoch, colon, number = self.cursor.partition(":")
        if not colon:
            raise LogCursorError(self.cursor, f"expected the form <epoch>:<sequence>, got '{self.cursor}'")
        try:
            epoch = parse_uuid(epoch)
        except InvalidUuidError as error:
            raise LogCursorError(self.cursor, f"epoch '{epoch}' is not a valid UUID: {error}") from error
        digits = number.removeprefix("+")
        problem = None
        if not number:
            problem = "cannot parse integer from empty string"
        elif not (digits.isascii() and digits.isdigit()):
            problem = "invalid digit found in string"
        elif int(digits) > _LARGEST:
            problem = "number too large to fit in target type"
        if problem is not None:
            raise LogCursorError(self.cursor, f"sequence '{number}' is not a valid number: {problem}")
        return epoch, int(digits)


@dataclass(frozen=True, slots=True)
class LogStream:
    """A stream that is granted and not yet open, so that its position is that of the moment when it opens."""

    logs: PipelineLogs
    notice: bytes | None
    request: LogRequest
    dropped: bool = False
    """The reader is dropped before it gets a line, and is not told where it is."""
    position: tuple[str, int] | None = field(default=None)
    line_end: bytes = b"\n"

    def open(self) -> tuple[Mapping[str, str], Follower]:
        """Begin to follow, and return the headers that say where."""
        if self.dropped:
            follower = Follower(marked=self.request.cursor is None)
            follower.finish(End.GONE)
            return {}, follower
        if self.request.cursor is None:
            follower = self.logs.follow(self.notice)
            if not self.request.follow:
                self.logs.leave(follower)
                follower.finish(End.CLEAN)
            return {}, follower
        position, follower = self.logs.resume(self.position)
        return {
            "feldera-logs-epoch": self.logs.epoch,
            "feldera-logs-seq": str(position.seq),
            "feldera-logs-gap": str(position.gap),
        }, follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower, also one that has left."""
        self.logs.leave(follower)

    def replayed(self) -> bytes:
        """Return what a reader would get at once."""
        _, follower = self.open()
        self.leave(follower)
        return b"".join(line + b"\n" for line in follower.take(follower.queued))


def _one(query: str, key: str) -> str | None:
    values = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == key]
    if len(values) > 1:
        raise LogQueryError(f"duplicate field `{key}`")
    return values[0] if values else None
