"""The plain version of the chunked coding: the whole stream at once, byte by byte, with nothing done for speed."""

from __future__ import annotations


def decoded(stream: bytes) -> tuple[bytes, bool]:
    """Return the data of a stream that may be cut anywhere, and whether its end is there. Raises ValueError."""
    data, rest = b"", stream
    while True:
        line, newline, rest = rest.partition(b"\n")
        if not newline:
            return data, False
        size = int(line.partition(b";")[0].strip(b" \t\r"), 16)
        if not size:
            break
        data, rest = data + rest[:size], rest[size:]
        if rest[:2] not in {b"\r\n", b"\r", b""}:
            raise ValueError(rest[:2])
        rest = rest[2:]
    while True:
        line, newline, rest = rest.partition(b"\n")
        if not newline:
            return data, False
        if line in {b"\r", b""}:
            return data, True
