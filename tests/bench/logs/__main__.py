"""`python -m tests.bench.logs`: measure, print, and with --write put it into docs/benchmarks.md."""

from __future__ import annotations

import sys
from statistics import median

import click

from tests.bench.logs.report import LogFigures, rows, write
from tests.bench.logs.runs import FEEDS, idle_bytes_per_stream, latency, lines_per_cpu_second, sdk_lines_per_cpu_second
from tests.bench.report import machine, table

SDK_LINES = 40_000


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--lines", type=click.IntRange(min=1_000), default=500_000, show_default=True, help="In each run.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--streams", type=click.IntRange(min=0), default=5_000, show_default=True, help="Idle ones; 0: skip.")
@click.option("--seconds", type=click.IntRange(min=0), default=15, show_default=True, help="For latency; 0: skip.")
@click.option("--write", "written", is_flag=True, help='Write the section "Logs" of docs/benchmarks.md.')
def main(lines: int, rounds: int, streams: int, seconds: int, *, written: bool) -> None:
    """Measure logs against the bars. Exit status 1 when one is missed."""
    figures = LogFigures(lines=lines, rounds=rounds, streams=streams)
    for number in range(rounds):
        click.echo(f"round {number + 1} of {rounds}", err=True)
        for feed in FEEDS:
            figures.rates.setdefault(feed.name, []).append(lines_per_cpu_second(feed, lines))
        for compression in ("none", "gzip"):
            figures.sdk.setdefault(compression, []).append(sdk_lines_per_cpu_second(SDK_LINES, compression))
        _say_rates(figures)
    if seconds:
        figures.latency = latency(20_000, seconds)
    if streams:
        figures.idle_bytes = idle_bytes_per_stream(streams)
    found = rows(figures)
    click.echo(machine())
    click.echo(table(found))
    if written:
        write(figures, found)
    sys.exit(any(row.passed is False for row in found))


def _say_rates(figures: LogFigures) -> None:
    for name, rates in (figures.rates | {f"SDK {name}": rates for name, rates in figures.sdk.items()}).items():
        click.echo(f"  {name}: {rates[-1]:,.0f} (median {median(rates):,.0f})", err=True)


if __name__ == "__main__":
    main()
