"""From figures to a table with the bars beside them, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.rounds import Figures
    from tests.bench.scraped import Scraped

POLL_CPU_SECONDS = 0.5
POLL_REQUESTS = 2
SCRAPE_PART = 1 / 20
CHANGED_SCRAPE_PART = 2 * SCRAPE_PART
PROMETHEUS_SECONDS = 2.0

DOCUMENT = Path(__file__).parents[2] / "docs/benchmarks.md"


class Row(NamedTuple):
    """One figure. `passed` is None where there is no bar."""

    what: str
    figure: str
    beside: str = ""
    bar: str = ""
    passed: bool | None = None

    @property
    def verdict(self) -> str:
        """Say whether the bar is met."""
        return {None: "", True: "pass", False: "**missed**"}[self.passed]


def rows(figures: Figures, pipelines: int) -> list[Row]:
    """Make the rows of poll, scrape and memory."""
    return [*_poll_rows(figures), *_scrape_rows(figures), *_memory_rows(figures, pipelines)]


def _poll_rows(figures: Figures) -> list[Row]:
    requests, cpu = figures.sizes["requests"], figures.cpu_seconds("poll")
    return [
        Row("quiet poll cycle, requests", f"{requests:.0f}", "", f"{POLL_REQUESTS}", requests == POLL_REQUESTS),
        Row(
            "quiet poll cycle, CPU",
            f"{cpu:.3f} s",
            f"{figures.wall_seconds('poll'):.3f} s wall",
            f"< {POLL_CPU_SECONDS} s",
            cpu < POLL_CPU_SECONDS,
        ),
        Row("poll cycle with 1 % changed, CPU", f"{figures.cpu_seconds('poll, changed'):.3f} s"),
        Row(
            "first cycle with all histories, CPU",
            f"{figures.cpu_seconds('poll, first'):.1f} s",
            f"{figures.wall_seconds('poll, first'):.1f} s wall",
        ),
    ]


def _scrape_rows(figures: Figures) -> list[Row]:
    result = []
    for name in ("text", "OpenMetrics"):
        client = figures.cpu_seconds(f"client {name}")
        for what, bar in (("", SCRAPE_PART), (", changed", CHANGED_SCRAPE_PART)):
            ours = figures.cpu_seconds(f"scrape {name}{what}")
            result.append(
                Row(
                    f"scrape, {name}, {'1 % changed' if what else 'warm, after a poll'}, CPU",
                    f"{ours:.3f} s = 1/{client / ours:.0f}",
                    f"prometheus-client {client:.1f} s",
                    f"≤ 1/{1 / bar:.0f}",
                    ours <= client * bar,
                )
            )
        size = figures.sizes[f"bytes {name}"] / 1e6
        zipped = figures.sizes[f"bytes {name}, gzip"] / 1e6
        contents = f"{figures.sizes[f'samples {name}']:,.0f} samples, {size:.0f} MB, gzipped {zipped:.1f} MB"
        result += [
            Row(
                f"scrape, {name}, gzip, {'1 % changed' if what else 'warm, after a poll'}, CPU",
                f"{figures.cpu_seconds(f'scrape {name}, gzip{what}'):.3f} s",
                "" if what else contents,
            )
            for what in ("", ", changed")
        ]
    return result


def _memory_rows(figures: Figures, pipelines: int) -> list[Row]:
    def per_pipeline(name: str) -> str:
        return f"{figures.sizes[name] / pipelines / 1024:.1f} KiB"

    return [
        Row("memory per pipeline after the first cycle", per_pipeline("resident bytes")),
        Row("memory per pipeline at most, during scrapes", per_pipeline("resident bytes at most")),
    ]


def prometheus_rows(scraped: Scraped) -> list[Row]:
    """Make the rows of one real Prometheus."""
    who = f"Prometheus {scraped.version}" + ("" if scraped.zeros else ", zeros: false")
    return [
        Row(
            f"{who}, scrape_duration_seconds",
            f"{scraped.seconds:.2f} s",
            f"{scraped.fixed_seconds:.2f} s of a fixed file; {scraped.samples:,} samples",
            # The bar is for all series; without zeros there are about a third as many.
            f"< {PROMETHEUS_SECONDS:.0f} s" if scraped.zeros else "",
            scraped.seconds < PROMETHEUS_SECONDS if scraped.zeros else None,
        ),
        Row(f"{who}, of that the exporter's answer", f"{scraped.answer_seconds:.2f} s"),
    ]


def table(all_rows: Sequence[Row]) -> str:
    """Write the rows as a Markdown table with even columns."""
    cells = [("what", "figure", "beside", "bar", "")]
    cells += [(row.what, row.figure, row.beside, row.bar, row.verdict) for row in all_rows]
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "| " + " | ".join("-" * max(width, 3) for width in widths) + " |")
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Describe the machine that the figures come from."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = os.getloadavg()[1]
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}, load average {load:.1f}"


def document(pipelines: int, rounds: int, all_rows: Sequence[Row]) -> str:
    """Write docs/benchmarks.md."""
    return _DOCUMENT.format(
        pipelines=f"{pipelines:,}",
        rounds=rounds,
        date=datetime.now(UTC).date(),
        machine=machine(),
        table=table(all_rows),
    )


_DOCUMENT = """\
# Benchmarks

Made by `make bench ARGS=--write` and not edited by hand.

{date}: {pipelines} simulated Feldera pipelines, half of them running; {machine}.

{table}
## How it is measured

```
make bench                                            # 10,000 pipelines, 3 rounds: about 20 minutes
make bench ARGS="--pipelines 1000 --no-prometheus"    # a quick look
make bench ARGS=--write                               # writes this page
```

- CPU is the time of all threads of the process (user and system), the median of {rounds} interleaved rounds; the simulator and
  prometheus-client are processes of their own. The exporter's own parts run in the measured process: provider, client,
  tracker, journal on a disk, exposition; of a poll all of it, of a scrape all but the socket.
- *Poll*: the whole cycle, with the HTTP answer of the list unpacked, compared and committed. *Quiet* means that no pipeline
  changed and no sweep was due. The sweep adds one request for each pipeline every 30 minutes at the defaults.
- *Scrape, warm, after a poll*: the times in the statuses have moved since the last scrape, as they have for every real one. With 1 %
  changed, those pipelines had been paused or resumed; what their new lines cost is part of the poll, whose row stands above.
- *prometheus-client*: `generate_latest` over a registry that has the same samples as children of real Gauge, Counter and
  Histogram objects. The number of samples is checked to be equal.
- *Memory*: what the process grew by, divided by the pipelines; the most of it includes the rendered bodies.
- *Prometheus*: `pipeline-exporter run` at its defaults (but for the budget), scraped every 15 s by a real Prometheus on the same
  machine, which asks for OpenMetrics and gzip. Its `scrape_duration_seconds` is time on the wall, and includes its own reading, parsing and
  storing of the samples; scrapes that bring many new series are left out. *Of a fixed file*: the same Prometheus then scrapes the same
  bytes, gzipped in advance, from a server that does nothing else. That is what it takes by itself: where the fixed file misses
  the bar too, no exporter with so many series can meet it on that machine. What the exporter can do is its answer, in the row below, and fewer
  series: *zeros: false* is `metrics: {{zeros: false}}` in the configuration.
"""
