"""How the ordinary lines of a pipeline are built: `prefix`, time, head, a colon, `end`, two blanks, message."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from exporter.logs import ansi, heads
from exporter.logs.run import OrdinaryHead

_KEEP: Final = 4096
_LONGEST_HEAD_BYTES: Final = 1024
"""What was read is kept, and no head that comes again is as long."""

_PREFIX = re.compile(rb"^(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )(\x1b\[2m)?(?=[0-9]{4}-)", re.MULTILINE)
_SOME_LINE: Final = b"[p] 2026-01-01T00:00:00.000000%b:%b  "


class Heads(dict[bytes, OrdinaryHead]):
    """What is said by all that stands from the time to the colon; KeyError for what is no ordinary head."""

    def __init__(self, end: bytes) -> None:
        self._end = end

    def __missing__(self, text: bytes) -> OrdinaryHead:
        if len(text) > _LONGEST_HEAD_BYTES or (ansi.ESC in text and not self._end):
            raise KeyError(text)
        line = _SOME_LINE % (text, self._end)
        head = heads.parse(line, ansi.strip(line))
        if head is None or not head.target or head.body or head.attributes or head.unfinished:
            raise KeyError(text)
        if len(self) >= _KEEP:
            self.clear()
        self[text] = OrdinaryHead(head.severity, head.severity_text, head.target, head.spans)
        return self[text]


class Layout(NamedTuple):
    """What is the same in all ordinary lines of a pipeline."""

    prefix: bytes
    """What stands before the time."""
    end: bytes
    """What ends the colour of the head's colon, empty without colours."""


@lru_cache(maxsize=4)
def heads_of(end: bytes) -> Heads:
    """Return what all pipelines share that colour their lines alike: the same text says the same in each."""
    return Heads(end)


def learn(block: bytes) -> Layout | None:
    """Return the layout of the first line in a block that is a pipeline's; None where there is none."""
    for match in _PREFIX.finditer(block):
        name, colour = match.groups(b"")
        # The runner never writes colours: a coloured [manager] is a pipeline of that name.
        if name != heads.CONTROL_PLANE and (colour or name != heads.RUNNER):
            return Layout(name + colour, b"\x1b[0m" if colour else b"")
    return None
