"""Send a file of OTLP JSON lines again, dead letters above all; what is accepted is taken out of the file.

    lines ─▶ requests of several lines ─▶ accepted: taken out · refused: halved until a line is alone, which stays

The service may append while this runs: the file is rewritten under the lock that it uses, with all that came since.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exporter.otlp.dead_letters import locked, sync_directory
from exporter.otlp.json_lines import from_json_line
from exporter.otlp.transport import Accepted, RefusedData, RefusedDestination, open_transport
from exporter.otlp.wire import read_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from exporter.config import Batch
    from exporter.otlp.settings import Settings
    from exporter.otlp.transport import Transport

FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 10.0


class ReplayError(Exception):
    """The file cannot be used; str() says why."""


class _GaveUpError(Exception):
    """The destination takes nothing."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line: where it is in the file, and what it holds."""

    number: int
    start: int
    end: int
    request: bytes
    records: int


@dataclass(slots=True)
class Replayed:
    """What became of a file."""

    sent: int = 0
    """Records that were accepted."""
    problems: list[str] = field(default_factory=list)
    """Why something is still in the file; none when nothing is, of what it held at the beginning."""


async def replay(path: Path, settings: Settings, patience_seconds: float, tell: Callable[[str], None]) -> Replayed:
    """Send a file again, in its order, and leave in it what was not accepted. Raises ReplayError, or OSError at its end.

    `tell` is told of what stays, as it is found, and of a destination that has to be tried again. The destination may take nothing for so many seconds on end.
    """
    with _opened(path, settings) as file:
        transport = open_transport(settings)
        run = _Replay(file, transport, settings.batch, patience_seconds, tell)
        try:
            await run.send_all()
        finally:
            await transport.close()
            await asyncio.to_thread(_rewrite, path, file, run.kept, run.read_to)
    return run.result


def _opened(path: Path, settings: Settings) -> BinaryIO:
    """Open the file. Raises ReplayError."""
    if settings.protocol == "file" and os.path.realpath(settings.endpoint) == os.path.realpath(path):
        raise ReplayError(f"{path} is the configured destination itself")
    try:
        return path.open("rb")
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror or error}") from error


class _Replay:
    """One pass over a file. `kept` are the places of lines that stay, of all up to `read_to`."""

    def __init__(
        self,
        file: BinaryIO,
        transport: Transport,
        batch: Batch,
        patience_seconds: float,
        tell: Callable[[str], None],
    ) -> None:
        self.kept: list[tuple[int, int]] = []
        self.read_to = 0
        self.result = Replayed()
        self._file = file
        self._transport = transport
        self._batch = batch
        self._patience_seconds = patience_seconds
        self._tell = tell

    async def send_all(self) -> None:
        """Send the lines that the file has now, until the end or until the destination takes nothing."""
        try:
            for lines in self._requests(os.fstat(self._file.fileno()).st_size):
                await self._send(lines)
                self.read_to = lines[-1].end
        except _GaveUpError as error:
            self._problem(f"{error}; the rest stays")

    def _requests(self, size: int) -> Iterator[Sequence[_Line]]:
        """Give lines that fit a request together; those that hold no request stay."""
        lines: list[_Line] = []
        records = length = 0
        for line in self._lines(size):
            full = records + line.records > self._batch.max_records
            if lines and (full or length + len(line.request) > self._batch.max_bytes):
                yield lines
                lines, records, length = [], 0, 0
            lines.append(line)
            records, length = records + line.records, length + len(line.request)
        if lines:
            yield lines

    def _lines(self, size: int) -> Iterator[_Line]:
        start = number = 0
        while start < size and (content := self._file.readline()):
            number, end = number + 1, start + len(content)
            try:
                request = from_json_line(content) if content.strip() else b""
                records = _count(request)
                if content.strip() and not records:
                    raise ValueError("it holds no log records")  # noqa: TRY301  (said as all that is wrong with a line)
            except ValueError as error:
                self._stays([(start, end)], f"line {number} stays: {error}")
            else:
                if records:
                    yield _Line(number, start, end, request, records)
            start = end

    async def _send(self, lines: Sequence[_Line]) -> None:
        """Send lines; what is refused as it is in ever smaller parts. Raises _GaveUpError."""
        request = b"".join(line.request for line in lines)  # messages one after the other are one message
        count = sum(line.records for line in lines)
        began, backoff = time.monotonic(), FIRST_BACKOFF_SECONDS
        while True:
            outcome = await self._transport.send(request, count)
            if isinstance(outcome, Accepted):
                self.result.sent += count - outcome.rejected
                if outcome.rejected:
                    # Which ones is not said. Those that were accepted will be recognised by their ids.
                    said = f"{outcome.rejected} of {count} records were rejected: {outcome.message}"
                    self._stays([(line.start, line.end) for line in lines], f"{_named(lines)}: {said}")
                return
            if isinstance(outcome, RefusedData):
                break
            if isinstance(outcome, RefusedDestination):
                raise _GaveUpError(outcome.reason)
            wait = backoff * random.uniform(0.5, 1.5)  # noqa: S311  (jitter)
            wait = max(wait, getattr(outcome, "after_seconds", None) or 0.0)
            if time.monotonic() + wait - began > self._patience_seconds:
                raise _GaveUpError(f"gave up after {time.monotonic() - began:.0f} s: {outcome.reason}")
            if backoff == FIRST_BACKOFF_SECONDS:
                self._tell(f"tried again for up to {self._patience_seconds:g} s: {outcome.reason}")
            await asyncio.sleep(wait)
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)
        if len(lines) == 1:
            self._stays([(lines[0].start, lines[0].end)], f"line {lines[0].number} stays: {outcome.reason}")
            return
        half = len(lines) // 2
        await self._send(lines[:half])
        self.read_to = lines[half].start
        await self._send(lines[half:])

    def _stays(self, places: Sequence[tuple[int, int]], problem: str) -> None:
        self.kept += places
        self._problem(problem)

    def _problem(self, problem: str) -> None:
        self.result.problems.append(problem)
        self._tell(problem)


def _named(lines: Sequence[_Line]) -> str:
    first, last = lines[0].number, lines[-1].number
    return f"line {first} stays" if first == last else f"lines {first} to {last} stay"


def _count(request: bytes) -> int:
    """Return how many records a request holds. Raises ValueError."""
    found = [request]
    for number in (1, 2, 2):  # resource logs, scope logs, records
        found = [
            value for one in found for at, _, value in read_fields(one) if at == number and isinstance(value, bytes)
        ]
    return len(found)


def _rewrite(path: Path, file: BinaryIO, kept: Sequence[tuple[int, int]], read_to: int) -> None:
    """Leave in a file what stays of what was read, and all behind it, at once or not at all. Raises OSError."""
    places = sorted(place for place in kept if place[1] <= read_to)
    if sum(end - start for start, end in places) == read_to:
        return  # all stays
    new = path.with_name(f"{path.name}.replay-{os.getpid()}")
    with locked(path, "rb") as current:
        if not os.path.samestat(os.fstat(current.fileno()), os.fstat(file.fileno())):
            raise OSError(f"{path} was replaced meanwhile: nothing was taken out of it")
        try:
            with new.open("wb") as out:
                shutil.copymode(path, new)
                for start, end in places:
                    file.seek(start)
                    out.write(file.read(end - start))
                file.seek(read_to)
                shutil.copyfileobj(file, out)
                out.flush()
                os.fsync(out.fileno())
            new.replace(path)
        except OSError:
            new.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
