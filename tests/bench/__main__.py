"""`python -m tests.bench`: measure, print, and with --write put it into docs/benchmarks.md."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import click

from tests.bench.logs.report import kept
from tests.bench.report import DOCUMENT, document, machine, prometheus_rows, rows, table
from tests.bench.rounds import measure
from tests.bench.scraped import measure_prometheus
from tests.integration.servers import ServerError, find


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--pipelines", type=click.IntRange(min=100), default=10_000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--prometheus/--no-prometheus", "with_prometheus", default=True, help="With real servers, if installed.")
@click.option("--write", is_flag=True, help="Write docs/benchmarks.md.")
def main(pipelines: int, rounds: int, *, with_prometheus: bool, write: bool) -> None:
    """Measure poll and scrape against the bars. Exit status 1 when one is missed."""
    with tempfile.TemporaryDirectory(prefix="pipeline-exporter-bench-") as folder:
        found = rows(asyncio.run(measure(pipelines, rounds, Path(folder), _say)), pipelines)
    for version, binary, zeros in _servers() if with_prometheus else ():
        with tempfile.TemporaryDirectory(prefix="pipeline-exporter-bench-") as folder:
            scraped = measure_prometheus(version, binary, pipelines, Path(folder), _say, zeros=zeros)
            found += prometheus_rows(asyncio.run(scraped))
    click.echo(machine())
    click.echo(table(found))
    if write:
        DOCUMENT.write_text(document(pipelines, rounds, found) + kept(), encoding="utf-8")
    sys.exit(any(row.passed is False for row in found))


def _servers() -> list[tuple[str, Path, bool]]:
    """Return version and program of each Prometheus, and whether the exporter writes zeros for it."""
    try:
        servers = find()
    except ServerError as error:
        _say(f"without Prometheus: {error}")
        return []
    return [
        ("2.42", servers.prometheus2, True),
        ("3.15", servers.prometheus3, True),
        ("3.15", servers.prometheus3, False),
    ]


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
