"""What a log line costs from the bytes received to its record: µs of CPU a line, by kind of line and size of block.

Run it as `python -m tests.bench.lines_cost`. The garbage collector is on, as in the service.
"""

from __future__ import annotations

import gc
import sys
import time
from typing import TYPE_CHECKING, Final, TypeVar

from exporter.logs.lines import LineBuffer
from exporter.logs.records import Assembler
from exporter.logs.redact import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

LINES: Final = 20_000
ROUNDS: Final = 7
MESSAGES: Final = (
    "step completed: processed %d records",
    "input endpoint 't.c1' received a batch of %d rows from partition 3, latency within limits",
    "checkpoint %d written to storage backend 'default'",
    "worker 3: merged %d batches of a spine at level 2",
)
LEVELS: Final = ((32, " INFO"), (33, " WARN"), (31, "ERROR"), (34, "DEBUG"))


def coloured(number: int) -> str:
    """Return an ordinary line of a pipeline."""
    code, level = LEVELS[number % 4]
    return f"[orders] \x1b[2m{moment(number)}\x1b[0m \x1b[{code}m{level}\x1b[0m \x1b[2mdbsp_adapters::controller\x1b[0m\x1b[2m:\x1b[0m  {message(number)}"


def plain(number: int) -> str:
    """Return the same line without colours."""
    return f"[orders] {moment(number)} {LEVELS[number % 4][1]} dbsp_adapters::controller:  {message(number)}"


def with_field(number: int) -> str:
    """Return a coloured line whose message ends in a coloured field."""
    return coloured(number) + " \x1b[3mrows\x1b[0m\x1b[2m=\x1b[0m12"


def with_secret(number: int) -> str:
    """Return a line that has to be redacted."""
    return coloured(number) + ' password="hunter2"'


def with_json(number: int) -> str:
    """Return a line of JSON mode."""
    return (
        f'{{"timestamp":"{moment(number)}","level":"INFO","target":"a::b","fields":{{"message":"{message(number)}"}}}}'
    )


def continued(number: int) -> str:
    """Return ordinary lines with a line without head after each fourth."""
    return coloured(number) if number % 4 else "    at ./crates/dbsp/src/operator/dynamic/aggregate.rs:914:114"


def moment(number: int) -> str:
    """Return the time of a line."""
    return f"2026-11-21T07:{number // 6000 % 60:02}:{number // 100 % 60:02}.{number * 997 % 1_000_000:06}Z"


def message(number: int) -> str:
    """Return the message of a line."""
    return MESSAGES[number * 7 % 4] % number


class Counting:
    """An assembler whose records are let go at once, as after their encoding."""

    def __init__(self, assembler: Assembler) -> None:
        self._assembler = assembler

    def feed(self, block: bytes) -> int:
        """Return how many records a block made."""
        return len(self._assembler.feed(block, 1))


def cost(lines: list[bytes], block_bytes: int) -> tuple[float, float, float]:
    """Return µs a line of splitting, redaction and records, the best of some rounds; `block_bytes` 0 is a line a block."""
    stream = b"".join(lines)
    size = block_bytes or 1
    chunks = lines if not block_bytes else [stream[at : at + size] for at in range(0, len(stream), size)]
    best = [float("inf")] * 3
    for _ in range(ROUNDS):
        buffer, redactor, assembler = LineBuffer(), Redactor(defaults=True, patterns=()), Assembler(256 * 1024)
        spent = []
        blocks, seconds = timed(buffer.feed, chunks)
        spent.append(seconds)
        clean, seconds = timed(redactor.redact, [block for block in blocks if block])
        spent.append(seconds)
        spent.append(timed(Counting(assembler).feed, [block for block, _ in clean])[1])
        best = [min(pair) for pair in zip(best, spent, strict=True)]
    split, redact, records = (seconds / len(lines) * 1e6 for seconds in best)
    return split, redact, records


def timed(work: Callable[[bytes], T], parts: list[bytes]) -> tuple[list[T], float]:
    """Do a piece of work on each part, and return the results and the CPU seconds that it took."""
    gc.collect()
    start = time.process_time()
    results = [work(part) for part in parts]
    return results, time.process_time() - start


def main() -> None:
    """Write a table."""
    write = sys.stdout.write
    write(f"{'µs a line':24}{'block':>8}{'lines':>8}{'redact':>8}{'records':>8}{'sum':>8}\n")
    for shape in (coloured, plain, with_field, continued, with_json, with_secret):
        lines = [shape(number).encode() + b"\n" for number in range(LINES)]
        for block_bytes in (256 * 1024, 64 * 1024, 4 * 1024, 0):
            parts = cost(lines, block_bytes)
            size = f"{block_bytes // 1024}K" if block_bytes else "line"
            write(f"{shape.__name__:24}{size:>8}" + "".join(f"{part:8.2f}" for part in (*parts, sum(parts))) + "\n")


if __name__ == "__main__":
    main()
