"""Secrets replaced by `[redacted]`, block by block, before anything else sees the text.

Lines stay lines: a secret never takes a newline with it, because positions count them. A block that holds nothing
suspicious is returned as it is, without a copy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from exporter.logs import secret_shapes as shapes
from exporter.logs.scanner import scanner

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_KEY_LINES: Final = 200
"""A private key is shorter; after so many lines its end has been lost."""

_MAX_WAIT_LINES: Final = 5
"""Lines of other writers that may come between `password: Some(` and its value."""


class Redactor:
    """Replaces secrets in the lines of one stream; a private key may reach over its blocks.

    `patterns` are the user's regular expressions, tried on each line; what one matches is replaced whole.
    Raises `re.error` when one of them is none.
    """

    def __init__(self, *, defaults: bool, patterns: Sequence[str]) -> None:
        self._scanner = scanner() if defaults else None
        self._patterns = [re.compile(pattern, re.MULTILINE) for pattern in patterns]
        self._key_lines = 0
        """Of a private key that has begun: so many lines may still belong to it."""
        self._key_has_data = False
        self._wait_lines = 0
        """Of a field without its value: so many lines may still bring it."""

    def redact(self, block: bytes) -> tuple[bytes, int]:
        """Return the block with its secrets replaced, and how many there were."""
        found = 0
        if self._scanner is not None:
            ends = self._scanner.ends(block)
            if ends or self._key_lines or self._wait_lines:
                block, found = self._redact_lines(block, sorted(ends))
        if self._patterns:
            block, more = self._redact_own(block)
            found += more
        return block, found

    def _redact_lines(self, block: bytes, ends: list[int]) -> tuple[bytes, int]:
        """Redact the lines in which something suspicious ends, and those that an earlier line has to do with."""
        done: list[bytes] = []
        found = done_to = nth = 0
        while True:
            if self._key_lines or self._wait_lines:
                begin = end = done_to
            else:
                while nth < len(ends) and ends[nth] <= done_to:
                    nth += 1
                if nth == len(ends):
                    break
                end = ends[nth]
                begin = max(block.rfind(b"\n", done_to, end) + 1, done_to)
            if begin >= len(block):
                break
            stop = block.index(b"\n", end)
            line, more = self._redact_line(block[begin:stop])
            done += (block[done_to:begin], line, b"\n")
            found += more
            done_to = stop + 1
        return b"".join(done) + block[done_to:], found

    def _redact_line(self, line: bytes) -> tuple[bytes, int]:
        if self._key_lines:
            self._key_lines -= 1
            if shapes.PEM_END.search(line):
                self._key_lines, self._key_has_data = 0, False
            elif shapes.PEM_LINE.fullmatch(line) or (self._key_has_data and shapes.PEM_LAST_LINE.fullmatch(line)):
                self._key_has_data = True
                return shapes.REDACTED, 0
        if self._wait_lines:
            self._wait_lines -= 1
            if value := shapes.NEXT_VALUE.fullmatch(line):
                self._wait_lines = 0
                return value[1] + shapes.REDACTED + value[3], 1
        if line.rstrip().endswith(shapes.OPENINGS) and shapes.OPENED_VALUE.search(line):
            self._wait_lines = _MAX_WAIT_LINES
        line, found = shapes.cut_out(line)
        if b"-----BEGIN " in line and (key := shapes.PEM.search(line)):
            found += key[2] != shapes.REDACTED
            if not key[3]:
                self._key_lines, self._key_has_data = _MAX_KEY_LINES, False
            data = shapes.REDACTED if key[2].strip() else b""
            line = line[: key.end(1)] + data + line[key.start(3) :]
        return line, found

    def _redact_own(self, block: bytes) -> tuple[bytes, int]:
        """Apply the user's patterns line by line, to blocks in which they find anything."""
        text = block.decode(errors="surrogateescape")
        found = 0
        for pattern in self._patterns:
            if pattern.search(text) is None:
                continue
            lines = text.split("\n")
            for number, line in enumerate(lines):
                hits = sum(1 for match in pattern.finditer(line) if match[0])
                if hits:
                    lines[number] = pattern.sub(_own_replacement, line)
                    found += hits
            text = "\n".join(lines)
        return (text.encode(errors="surrogateescape"), found) if found else (block, 0)


def _own_replacement(match: re.Match[str]) -> str:
    return "[redacted]" if match[0] else ""
