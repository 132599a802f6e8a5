"""The runs: each in fresh processes, interleaved by round, void when a line is lost, repeated or mangled."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.child import child
from tests.bench.logs import feeder, receiver, sdk
from tests.bench.logs.process import quantile, running, wait_for
from tests.bench.logs.receiver import Received

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.child import Child
    from tests.bench.logs.process import Process

STREAMS = 50
LATENCY = "pipeline_exporter_log_latency_seconds"
_QUIET_SECONDS = 60.0


class VoidError(Exception):
    """A run whose figure does not count: lines were lost, repeated or mangled."""


@dataclass(frozen=True)
class Feed:
    """How lines come."""

    name: str
    how: tuple[str | int, ...] = ("fast",)
    compression: str = "none"
    chunk_bytes: int | None = None
    streams: int = STREAMS
    mixed: bool = False
    compiled: bool = True


FEEDS = (
    Feed("a chunk a line"),
    Feed("a chunk a line, gzip", compression="gzip"),
    Feed("64 KB chunks", chunk_bytes=65_536),
    Feed("a write a line", how=("single",)),
    Feed("a chunk a line, spans and fields", mixed=True),
    Feed("a chunk a line, without what is compiled", compiled=False),
)


def lines_per_cpu_second(feed: Feed, lines: int) -> float:
    """Return how many lines the exporter handles in a second of CPU. Raises VoidError."""
    with _stage(feed, lines) as (process, source, collector):
        before = process.cpu_seconds()
        _pass(feed, lines, source, collector)
        return lines / (process.cpu_seconds() - before)


def latency(per_second: int, seconds: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the buckets of p50 and p99, from byte read to accepted, at a steady rate. Raises VoidError."""
    feed = Feed("latency", how=("paced", per_second), compression="gzip")
    lines = per_second * seconds
    with _stage(feed, lines) as (process, source, collector):
        _pass(feed, lines, source, collector)
        metrics = process.metrics()
        return quantile(metrics, LATENCY, 0.5), quantile(metrics, LATENCY, 0.99)


def sdk_lines_per_cpu_second(lines: int, compression: str) -> float:
    """Return how many lines the SDK handles in a second of CPU. Raises VoidError."""
    with child(receiver.main, lines) as collector:
        with child(sdk.main, collector.ask("url"), lines, compression) as emitter:
            cost = emitter.ask("emit")
        received = Received(*collector.ask("received"))
        if (received.lines, received.repeated) != (lines, 0):
            raise VoidError(f"the SDK sent {lines} lines: {received}")
        return float(lines / cost.cpu_seconds)


def idle_bytes_per_stream(streams: int) -> float:
    """Return what an open stream without lines takes, over the same pipelines polled without logs."""
    resident = {}
    for logs in (False, True):
        with ExitStack() as stack:
            source = stack.enter_context(child(feeder.main, 0, 0, None, streams, False))
            collector = stack.enter_context(child(receiver.main, 0))
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pipeline-exporter-bench-")))
            url = collector.ask("url") if logs else None
            process = stack.enter_context(running(folder, source.ask("url"), url))
            if logs:
                wait_for("all streams open", lambda source=source: source.ask("open") == streams, 300)
            _settle(process)
            resident[logs] = process.resident_bytes()
    return (resident[True] - resident[False]) / streams


@contextmanager
def _stage(feed: Feed, lines: int) -> Iterator[tuple[Process, Child, Child]]:
    """Start everything, and wait until the streams are open and what they began with has arrived."""
    with ExitStack() as stack:
        source = stack.enter_context(child(feeder.main, feed.streams, lines, feed.chunk_bytes, 0, feed.mixed))
        collector = stack.enter_context(child(receiver.main, lines))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pipeline-exporter-bench-")))
        url = collector.ask("url")
        process = stack.enter_context(running(folder, source.ask("url"), url, feed.compression, compiled=feed.compiled))
        wait_for("all streams open", lambda: source.ask("open") == feed.streams)
        wait_for("first lines", lambda: Received(*collector.ask("received")).others >= feed.streams)
        yield process, source, collector


def _pass(feed: Feed, lines: int, source: Child, collector: Child) -> None:
    """Let all lines pass from the feeder to the collector. Raises VoidError."""
    expected = source.ask("checksum")
    source.ask(*feed.how)
    received = Received(*collector.ask("received"))
    moved = time.monotonic()
    while received.lines < lines and time.monotonic() < moved + _QUIET_SECONDS:
        time.sleep(0.02)
        now = Received(*collector.ask("received"))
        if now != received:
            received, moved = now, time.monotonic()
    if (received.lines, received.repeated, received.checksum) != (lines, 0, expected):
        raise VoidError(f"{feed.name}: {lines} lines with the checksum {expected} went in: {received}")


def _settle(process: Process) -> None:
    """Wait until the process rests: half of a second's CPU in a row of seconds means that it still works."""
    quiet = 0
    while quiet < 3:
        before = process.cpu_seconds()
        time.sleep(1)
        quiet = quiet + 1 if process.cpu_seconds() - before < 0.3 else 0
