"""From figures to the section "Logs" of docs/benchmarks.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Final

from exporter import compiled
from tests.bench.report import DOCUMENT, Row, machine, table

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADING: Final = "## Logs\n"
_FLUENT_BIT: Final = 290_000
_BARS: Final = {
    "a chunk a line": _FLUENT_BIT,
    "a chunk a line, gzip": 227_000,
    "64 KB chunks": round(1.3 * _FLUENT_BIT),
    "a write a line": 100_000,
}
_SDK_TIMES: Final = 10
_IDLE_KIB: Final = 15
_P50_SECONDS, _P99_SECONDS = 0.3, 1.0


@dataclass
class LogFigures:
    """What was measured: rates by name, one for each round."""

    lines: int
    rounds: int
    streams: int
    rates: dict[str, list[float]] = field(default_factory=dict)
    sdk: dict[str, list[float]] = field(default_factory=dict)
    latency: tuple[tuple[float, float], tuple[float, float]] | None = None
    idle_bytes: float | None = None


def rows(figures: LogFigures) -> list[Row]:
    """Make the rows, with the bars beside them."""
    return [*_rate_rows(figures), *_sdk_rows(figures), *_latency_rows(figures), *_memory_rows(figures)]


def _rate_rows(figures: LogFigures) -> list[Row]:
    result = []
    for name, rates in figures.rates.items():
        rate, bar = median(rates), _BARS.get(name)
        spread = f"{min(rates):,.0f} to {max(rates):,.0f}"
        if bar is None:
            result.append(Row(name, f"{rate:,.0f} lines/CPU-s", spread))
        else:
            result.append(Row(name, f"{rate:,.0f} lines/CPU-s", spread, f"≥ {bar:,}", rate >= bar))
    return result


def _sdk_rows(figures: LogFigures) -> list[Row]:
    pairs = {"none": "a chunk a line", "gzip": "a chunk a line, gzip"}
    result = []
    for compression, rates in figures.sdk.items():
        ours, theirs = median(figures.rates[pairs[compression]]), median(rates)
        what = f"{pairs[compression]}: times the OpenTelemetry SDK's rate"
        bar = (f"≥ {_SDK_TIMES}", ours >= _SDK_TIMES * theirs) if compression == "none" else ("", None)
        result.append(Row(what, f"{ours / theirs:.1f}", f"SDK {theirs:,.0f} lines/CPU-s", *bar))
    return result


def _latency_rows(figures: LogFigures) -> list[Row]:
    if figures.latency is None:
        return []
    result = []
    for name, (above, below), bar in zip(("p50", "p99"), figures.latency, (_P50_SECONDS, _P99_SECONDS), strict=True):
        bounds = f"{above:g} to {below:g} s"
        result.append(Row(f"latency at 20,000 lines/s, {name}", bounds, "bucket", f"< {bar} s", below <= bar))
    return result


def _memory_rows(figures: LogFigures) -> list[Row]:
    if figures.idle_bytes is None:
        return []
    kib = figures.idle_bytes / 1024
    what = f"memory of an idle stream, {figures.streams:,} of them"
    return [Row(what, f"{kib:.1f} KiB", "", f"≤ {_IDLE_KIB} KiB", kib <= _IDLE_KIB)]


def write(figures: LogFigures, found: Sequence[Row]) -> None:
    """Put the section into docs/benchmarks.md, in the place of an older one."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else "# Benchmarks\n\n"
    section = _SECTION.format(
        lines=f"{figures.lines:,}",
        rounds=figures.rounds,
        at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        machine=machine(),
        compiled="they were" if compiled.is_complete() else "there was none, and no row has them",
        table=table(found),
    )
    DOCUMENT.write_text(text.partition(HEADING)[0].rstrip("\n") + "\n\n" + section, encoding="utf-8")


def kept() -> str:
    """Return the section as it stands in the page, behind an empty line; empty where there is none."""
    text = DOCUMENT.read_text(encoding="utf-8") if DOCUMENT.exists() else ""
    before, heading, section = text.partition(HEADING)
    return f"\n{heading}{section}" if heading else before[:0]


_SECTION = (
    HEADING
    + """
Made by `python -m tests.bench.logs --write` (`make bench` runs it too).

{at}: {rounds} interleaved rounds of {lines} lines each, medians; {machine}.

{table}
- The exporter is `pipeline-exporter run` at its defaults (redaction on, journal on a disk with its fsyncs) in a process of its own;
  what counts is the CPU time, user and system, of its process tree from the first line sent to the last one received.
- The hottest loops are compiled where there is a compiler at the installation ({compiled}); *without what is compiled*: Python does their
  work, as where there is none.
- The simulated Feldera server feeds 50 streams from another process as fast as they are read; a collector in a third one decodes every
  request with opentelemetry-proto and checks that each numbered line came once and that the bodies' checksum is right. A run in
  which one was lost, repeated or mangled ends the benchmark.
- Lines are coloured, with time, level, target and message; *spans and fields*: half of them carry either or both, no bar.
- *64 KB chunks*: no compression. *A write a line*: the server writes the next line of a stream only when the last one was written.
- *OpenTelemetry SDK*: one `Logger.emit` a line through `BatchLogRecordProcessor` and the OTLP/HTTP exporter, with a queue that
  holds everything, so that nothing is lost. Reading and parsing are done before its clock starts, which favours it.
- Fluent Bit is not measured in these runs: it could not be installed. The bars are the design's reference figures for reading the same
  kind of lines from a file with its regex parser: 290,000 to 370,000 lines per CPU-second, 227,000 with gzip.
- *Latency*: from byte read to accepted, from `pipeline_exporter_log_latency_seconds`, with gzip; the figure is the bucket in which
  the quantile lies. *Memory*: resident bytes with a stream open for each pipeline, less those of the same pipelines without logs.
"""
)
