"""Lines put together to records.

    block ─▶ ordinary ─┬─▶ runs                                (ordinary lines, many at a time)
                       └─▶ line by line ─▶ panic, open, last   (all that is not ordinary)

What is open:
- `_last`, a record of one ordinary line, or `_open`, any other record; never both. The next line may continue it.
- `_panic` beside it, while lines of a backtrace may still come. Records that are complete meanwhile wait behind it in
  `_waiting`, so that records are given out in the order of their first lines, and one number says how far they cover.

Where blocks begin and end makes no difference to the records; only `flush`, after a silence, does.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from exporter.logs import ansi, heads, ordinary, panics
from exporter.logs.dialects import FELDERA
from exporter.logs.held import Held
from exporter.logs.record import Record
from exporter.logs.run import Run

if TYPE_CHECKING:
    from exporter.logs.dialects import Dialect

__all__ = ["Assembler", "Record", "Run"]

_SMALLEST_BYTES: Final = 4
"""Of a record's size limit: one character must fit."""


class Assembler:
    """Records from the blocks of one stream, with lines of a dialect. `max_bytes` limits the body of each."""

    def __init__(self, max_bytes: int, dialect: Dialect = FELDERA) -> None:
        self.lines = 0
        """Lines read so far."""
        self.lines_by_severity: Counter[str] = Counter()
        """The same by severity; a continuation line counts under its head's."""
        self._max = max(max_bytes, _SMALLEST_BYTES)
        self._dialect = dialect
        self._reader: ordinary.Reader | None = None
        self._observed_ns = 0
        self._out: list[Record | Run] = []
        self._last: Record | None = None
        self._open: Held | None = None
        self._panic: Held | None = None
        self._waiting: list[Record] = []
        self._waiting_bytes = 0
        self._heads_since_panic = 0

    @property
    def open_lines(self) -> int:
        """How many of the newest lines are not covered by the records given out."""
        firsts = [held.first_line for held in (self._panic, self._open) if held is not None]
        firsts += [record.first_line for record in (*self._waiting[:1], self._last) if record is not None]
        return self.lines - min((first for first in firsts if first is not None), default=self.lines)

    @property
    def open_since_ns(self) -> int:
        """When the newest line of the open record was read; 0 when no record is open. Silence is counted from here."""
        return 0 if self._last is None and self._open is None and self._panic is None else self._observed_ns

    def feed(self, block: bytes, observed_ns: int) -> list[Record | Run]:
        """Take a block of whole lines, read at `observed_ns`, and return the records that are complete with it."""
        self._observed_ns = observed_ns
        text = block if block.isascii() else _valid(block)
        reader = self._reader
        if self._dialect.ordinary and (reader is None or reader.layout.prefix not in text):
            layout = ordinary.learn(text)
            if layout is not None:
                reader = self._reader = ordinary.reader(layout)
        if reader is None:
            self._read_lines(text)
        else:
            for part in reader.read(text, self._max):
                if isinstance(part, bytes):
                    self._read_lines(part)
                elif self._panic is not None:
                    self._read_lines(part.lines())
                else:
                    self._take(Run(self.lines, observed_ns, *part[:3]))
        return self._given_out()

    def flush(self) -> list[Record | Run]:
        """Return what is open, after a silence or at the end of the stream. Lines after it begin anew."""
        self._end_panic()
        self._end_open()
        return self._given_out()

    def _given_out(self) -> list[Record | Run]:
        out, self._out = self._out, []
        return out

    def _take(self, run: Run) -> None:
        """Give out a run but for its last record, which stays open."""
        self._end_open()
        self.lines += run.count
        for head, count in Counter(run.heads).items():
            self.lines_by_severity[head.severity] += count
        self._last = run.record(run.count - 1)
        if run.count > 1:
            self._out.append(run.without_last())

    def _read_lines(self, lines: bytes) -> None:
        if self._last is not None:
            self._open = Held(self._last, self._max, lines=[self._last.body])
            self._last = None
        for line in lines[:-1].split(b"\n"):
            self._read_line(line)
            self.lines += 1

    def _read_line(self, line: bytes) -> None:
        text = ansi.strip(line)
        first = text[:1]
        firsts = self._dialect.firsts
        head = self._dialect.parse(line, text) if firsts is None or first in firsts else None
        if head is not None:
            self.lines_by_severity[head.severity] += 1
            self._begin(head)
        elif first == b"t" and panics.begins(text):
            self.lines_by_severity["error"] += 1
            self._begin_panic(text)
        else:
            self.lines_by_severity[self._continue(text)] += 1

    def _begin(self, head: heads.Head) -> None:
        self._end_open()
        if self._panic is not None:
            self._heads_since_panic += 1
            if self._heads_since_panic > panics.MAX_HEADS or self._waiting_bytes > self._max:
                self._end_panic()
        self._open, parts = Held.begin(head, self._observed_ns, self.lines, self._max)
        self._give_parts(parts)

    def _begin_panic(self, text: bytes) -> None:
        self._end_panic()
        self._end_open()
        head = heads.Head(0, "error", b"", text)
        self._panic, parts = Held.begin(head, self._observed_ns, self.lines, self._max)
        self._heads_since_panic = 0
        self._give_panic_parts(parts)

    def _continue(self, text: bytes) -> str:
        """Add a line without a head to the record that it belongs to, and return that record's severity."""
        if self._panic is not None and self._is_panics(text):
            self._end_open()
            self._heads_since_panic = 0
            self._give_panic_parts(self._panic.add(text, self.lines))
            return self._panic.severity
        if self._open is None or (self._dialect.plain_alone and self._open.headless and not text[:1].isspace()):
            if not text:
                return "none"
            self._end_open()
            head = heads.Head(0, "none", b"", text)
            self._open, parts = Held.begin(head, self._observed_ns, self.lines, self._max)
        else:
            parts = self._continue_open(self._open, text)
        self._give_parts(parts)
        return self._open.severity

    def _is_panics(self, text: bytes) -> bool:
        """Whether a line without head belongs to the open panic, also when it is not the line right before."""
        if self._panic is None or (self._open is not None and self._open.unfinished):
            return False
        return self._open is None or (bool(text) and self._panic.only_begun) or panics.is_backtrace(text)

    def _continue_open(self, held: Held, text: bytes) -> list[Record]:
        if held.unfinished:
            body = heads.closed(text)
            if body is not None:
                held.unfinished = False
                return held.add(body, self.lines)
        elif text:
            self._end_panic()  # no line of it: what comes now is something else
        return held.add(text, self.lines)

    def _end_open(self) -> None:
        """Close the record beside the panic; it waits until the panic is complete."""
        done: list[Record] = []
        if self._last is not None:
            done.append(self._last)
            self._last = None
        elif self._open is not None:
            done = self._open.close()
            self._open = None
        if self._panic is None or self._panic.first_line is None:  # nothing held that comes before it
            self._out += done
            return
        self._waiting += done
        self._waiting_bytes += sum(len(record.body) for record in done)

    def _end_panic(self) -> None:
        if self._panic is not None:
            panic, self._panic = self._panic, None
            self._out += _with_exception(panic.close())
            self._give_waiting()

    def _give_waiting(self) -> None:
        self._out += self._waiting
        self._waiting = []
        self._waiting_bytes = 0

    def _give_parts(self, parts: list[Record]) -> None:
        """Give out parts of the record beside the panic, which can wait no longer for it."""
        if parts:
            if self._panic is not None and self._panic.first_line is not None:
                self._end_panic()
            self._out += parts

    def _give_panic_parts(self, parts: list[Record]) -> None:
        if parts:
            self._out += _with_exception(parts)
            self._give_waiting()


def _with_exception(parts: list[Record]) -> list[Record]:
    """Give `exception.*` to the first part of a panic."""
    return [part if part.part else part._replace(attributes=panics.attributes(part.body)) for part in parts]


def _valid(block: bytes) -> bytes:
    """Return the block as valid UTF-8. A newline ends every character, so that it can be done for all lines at once."""
    try:
        block.decode()
    except UnicodeDecodeError:
        return block.decode(errors="replace").encode()
    return block
