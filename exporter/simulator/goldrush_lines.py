"""Log lines of a GoldRush worker, in every form that may occur: the vendor documents none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from exporter.simulator.identifiers import rfc3339, rfc3339_micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    Shape = Callable[[Random, int], list[bytes]]

_LEVELS = ("INFO",) * 8 + ("WARN", "DEBUG")
_MESSAGES = (
    "batch of {0} records written in {1} ms",
    "committed offset {0}",
    "processed up to block {0}",
    "transform `swaps` kept {1} of {0} records",
    "consumer lag is {0} records",
)
SQL_ERROR = (
    b"ERROR transform failed: Error during planning: No field named amount_usd",
    b"    SELECT amount_usd FROM swaps",
    b"           ^^^^^^^^^^",
)
WRITE_ERROR = (
    b'ERROR permanent write error: db error: column "tx_hash" of relation "swaps" does not exist',
    b"Caused by:",
    b"    0: writing batch 4711 to postgres",
    b"    1: SqlState(E42703)",
)


def _said(random: Random) -> str:
    return random.choice(_MESSAGES).format(random.randrange(1, 1_000_000), random.randrange(1, 1_000))


def _json(random: Random, at_us: int) -> list[bytes]:
    document = {
        "timestamp": rfc3339(at_us // 1_000 * 1_000),
        "level": random.choice(_LEVELS).lower(),
        "message": _said(random),
        "target": "pipeline::sink",
        "block_height": random.randrange(20_000_000, 30_000_000),
    }
    return [msgspec.json.encode(document)]


def _time(random: Random, at_us: int) -> list[bytes]:
    return [f"{rfc3339_micros(at_us)} {random.choice(_LEVELS):>5} pipeline::source: {_said(random)}".encode()]


def _level(random: Random, _at_us: int) -> list[bytes]:
    return [f"{random.choice(_LEVELS)} {_said(random)}".encode()]


def _plain(random: Random, _at_us: int) -> list[bytes]:
    return [_said(random).encode()]


def _multiline(random: Random, at_us: int) -> list[bytes]:
    head = f"{rfc3339_micros(at_us)} ERROR pipeline::sink: write failed, attempt {random.randint(1, 9)}".encode()
    return [head, b"  caused by: connection reset by peer", f"  batch {random.randrange(1_000_000)}".encode()]


GOLDRUSH_SHAPES: dict[str, Shape] = {
    "json": _json,
    "time": _time,
    "level": _level,
    "plain": _plain,
    "multiline": _multiline,
}


def skipped_line(at_us: int, count: int) -> bytes:
    """Return what a worker says of records that it leaves out."""
    return f"{rfc3339_micros(at_us)}  WARN pipeline::normalize: skipped {count} records: cannot be decoded".encode()


def goldrush_record(random: Random, at_us: int) -> list[bytes]:
    """Return the lines of one thing said, in a form drawn by chance."""
    return random.choice(list(GOLDRUSH_SHAPES.values()))(random, at_us)
