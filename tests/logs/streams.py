"""Streams made at random from every shape of line, and cuts of them into blocks."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

ORDINARY = b"[life] \x1b[2m2026-11-21T07:40:12.143983Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mdbsp::server\x1b[0m\x1b[2m:\x1b[0m  Started"
PANIC = b"thread 'dbsp-worker-0' (21931) panicked at src/x.rs:14:114:"
RUNNER = b'[manager] 2026-11-21T07:40:17.402052Z  INFO pipeline_manager::runner: Fresh start pipeline-id="x" pipeline-name="N/A"'

SHAPES = (
    ORDINARY,
    b"[life] \x1b[2m2026-11-21T07:40:13.000001Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2ma::b\x1b[0m\x1b[2m:\x1b[0m  bad \x1b[3mx\x1b[0m\x1b[2m=\x1b[0m1",
    b"[life] \x1b[2m2026-11-21T07:40:14.5Z\x1b[0m \x1b[33m WARN\x1b[0m \x1b[1meval\x1b[0m\x1b[1m{\x1b[0mw=3\x1b[1m}\x1b[0m\x1b[2m:\x1b[0m \x1b[2ma::b\x1b[0m\x1b[2m:\x1b[0m  slow",
    b"[life] 2026-11-21T07:40:15.123456Z DEBUG a::b:  plain",
    b"[life] 2026-13-41T07:40:15.123456Z DEBUG a::b:  no such day",
    b"[life] 2026-11-21T07:40:15.123456Z FATAL a::b:  no such level",
    b"[other host=2] 2026-11-21T07:40:16.123456Z TRACE a::b:  ",
    RUNNER,
    b"[manager] 2026-11-21T07:40:17.402052Z ERROR pipeline_manager::runner: Resources error: two",
    b'lines pipeline-id="x" pipeline-name="life"',
    b"[control-plane] 2024-01-01T00:00:00.000000Z  INFO Started",
    b"[control-plane] 2024-01-01T00:00:00.000000Z  INFO Error:  two",
    b"[life] 2026-11-21T07:40:15.123456Z  INFO Started",
    b"[manager] 2026-11-21T07:40:15.123456Z  INFO a:  b",
    b"[manager] \x1b[2m2026-11-21T07:40:15.123456Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2ma\x1b[0m\x1b[2m:\x1b[0m  b",
    b"[pipeline-01a1fd0c] 2024-01-01T00:00:00.000000Z  INFO a::b: older",
    b'{"timestamp":"2026-11-21T08:08:03.967829Z","level":"INFO","target":"t","fields":{"message":"m\\nn","n":1}}',
    b'{"timestamp":"x"}',
    PANIC,
    b"thread 'main' panicked at 'old message', src/x.rs:14:114",
    b"stack backtrace:",
    b"   0: __rustc::rust_begin_unwind",
    b"             at /rustc/x.rs:697:5",
    b"note: Some details are omitted",
    b"Pipeline configuration loaded successfully: {",
    b'  "name": "pipeline",',
    b"[1, 2]",
    b"[life] raw",
    b"",
    b"\x1b[0m",
    b" \t",
    "é\u2028\u20ac\U0001f600".encode() * 5,
    b"\xff\xfe half \xe2\x82",
    b"a\rb\x00c\x0b\x0c\x85\xef\xbb\xbf\x1bQ",
    b"x" * 70,
)

lines = st.one_of(st.sampled_from(SHAPES), st.binary(max_size=80).map(lambda data: data.replace(b"\n", b"")))
streams = st.lists(lines, max_size=60).map(lambda chosen: b"".join(line + b"\n" for line in chosen))


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Cut data at these places, taken modulo its length."""
    marks = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[begin:end] for begin, end in pairwise(marks)]
