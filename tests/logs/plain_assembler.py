"""The plain version of the assembler: all lines at once, one after the other, with nothing done for speed."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.logs import ansi, heads, panics
from exporter.logs.record import Record


@dataclass
class Group:
    """The lines of one record."""

    head: heads.Head
    lines: list[tuple[int, bytes]]
    is_panic: bool = False
    unfinished: bool = False
    later_heads: int = 0
    parts: list[Record] = field(default_factory=list)


def assemble(stream: bytes, max_bytes: int, observed_ns: int) -> list[Record]:
    """Return the records of a whole stream, in the order of their first lines."""
    groups: list[Group] = []
    other: Group | None = None
    panic: Group | None = None
    for number, raw in enumerate(stream.decode(errors="replace").encode().split(b"\n")[:-1]):
        text = ansi.strip(raw)
        head = heads.parse(raw, text)
        if head is not None:
            other = Group(head, [(number, head.body)], unfinished=head.unfinished)
            groups.append(other)
            if panic is not None:
                panic.later_heads += 1
                panic = None if panic.later_heads > panics.MAX_HEADS else panic
        elif panics.begins(text):
            other, panic = None, Group(heads.Head(0, "error", b"", text), [(number, text)], is_panic=True)
            groups.append(panic)
        elif panic is not None and _belongs(panic, other, text):
            panic.lines.append((number, text))
            panic.later_heads, other = 0, None
        elif other is None:
            if text:
                other = Group(heads.Head(0, "none", b"", text), [(number, text)])
                groups.append(other)
        elif other.unfinished and heads.closed(text) is not None:
            other.lines.append((number, heads.closed(text) or b""))
            other.unfinished = False
        else:
            other.lines.append((number, text))
            panic = panic if other.unfinished or not text else None
    records = [record for group in groups for record in _records(group, max_bytes, observed_ns)]
    return sorted(records, key=lambda record: (record.first_line, record.part))


def _belongs(panic: Group, other: Group | None, text: bytes) -> bool:
    if other is None:
        return True
    if other.unfinished:
        return False
    return (bool(text) and len(panic.lines) == 1) or panics.is_backtrace(text)


def _records(group: Group, max_bytes: int, observed_ns: int) -> list[Record]:
    """Fill parts with whole lines as far as they fit; a line that is too long fills parts of its own."""
    bodies: list[tuple[int, bytes]] = []
    body: bytes | None = None
    first = blanks = 0
    for index, (number, line) in enumerate(group.lines):
        if not line and index:
            blanks += 1
            continue
        if body is not None and len(body) + blanks + 1 + len(line) <= max_bytes:
            body += b"\n" * (blanks + 1) + line
        else:
            if body is not None:
                bodies.append((first, body))
            body, first = line, number
            if len(line) > max_bytes:
                bodies += [(number, piece) for piece in _cut(line.decode(), max_bytes)]
                body = None
        blanks = 0
    if body is not None:
        bodies.append((first, body))
    head = group.head
    return [
        Record(
            *(head.time_ns, observed_ns, head.severity, head.severity_text, text, head.target, head.spans),
            *(part, _attributes(group, part, text), number),
        )
        for part, (number, text) in enumerate(bodies)
    ]


def _attributes(group: Group, part: int, body: bytes) -> tuple[tuple[str, str | int | float | bool], ...]:
    if part:
        return ()
    return panics.attributes(body) if group.is_panic else group.head.attributes


def _cut(line: str, max_bytes: int) -> list[bytes]:
    pieces = [b""]
    for character in line:
        if len(pieces[-1]) + len(character.encode()) > max_bytes:
            pieces.append(b"")
        pieces[-1] += character.encode()
    return pieces
