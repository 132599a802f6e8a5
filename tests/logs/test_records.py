"""The assembler against its plain version, and its bounds."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from exporter.logs.lines import LineBuffer
from exporter.logs.records import Assembler, Record
from exporter.logs.run import singles
from tests.logs.plain_assembler import assemble
from tests.logs.streams import ORDINARY, PANIC, RUNNER, cut, streams

places = st.lists(st.integers(0, 10_000), max_size=12)


def fed(stream: bytes, at: list[int], max_bytes: int) -> list[Record]:
    """Return the records of a stream that comes in these chunks."""
    buffer, assembler = LineBuffer(), Assembler(max_bytes)
    records: list[Record] = []
    for chunk in cut(stream, at):
        if block := buffer.feed(chunk):
            records += singles(assembler.feed(block, 7))
    return records + singles(assembler.flush())


@given(streams, places, st.sampled_from((8, 64, 100_000)))
def test_it_makes_what_the_plain_version_makes(stream: bytes, at: list[int], max_bytes: int) -> None:
    """Blocks and speed change nothing: the records are those of reading line by line."""
    assume(max_bytes > 64 or b"panicked" not in stream)  # the plain version lets nothing but text end a panic

    assert assemble(stream, max_bytes, 7) == fed(stream, at, max_bytes)


@given(streams, places, st.sampled_from((8, 64)))
def test_any_chunking_makes_the_same_records(stream: bytes, at: list[int], max_bytes: int) -> None:
    """Also where sizes end a panic; and the records come in the order of their first lines."""
    found = fed(stream, at, max_bytes)

    assert fed(stream, [], max_bytes) == found
    assert sorted(found, key=lambda record: (record.first_line, record.part)) == found


@given(streams, places, st.sampled_from((8, 64, 100_000)))
def test_records_are_valid_and_bounded(stream: bytes, at: list[int], max_bytes: int) -> None:
    """Every text is UTF-8 without colours, no body is over the limit, and times fit OTLP."""
    for record in fed(stream, at, max_bytes):
        text = b"".join((record.body, record.target, record.spans, record.severity_text)).decode()
        assert "\x1b[0m" not in text
        assert len(record.body) <= max_bytes
        assert 0 <= record.time_ns < 1 << 64


@given(streams, places)
def test_a_position_covers_what_was_given_out_and_nothing_else(stream: bytes, at: list[int]) -> None:
    """Reading again from the lines not covered gives what is still to come, and repeats nothing."""
    buffer, assembler = LineBuffer(), Assembler(64)
    for chunk in cut(stream, at):
        records = singles(assembler.feed(block, 7)) if (block := buffer.feed(chunk)) else []
        covered = assembler.lines - assembler.open_lines
        assert [] == [record for record in records if record.first_line >= covered]
    covered = assembler.lines - assembler.open_lines
    rest = singles(assembler.flush())

    assert [] == [record for record in rest if record.first_line < covered]
    assert 0 == assembler.open_lines
    assert 0 == assembler.open_since_ns


@given(streams)
def test_every_line_counts_once_under_a_severity(stream: bytes) -> None:
    """The lines by severity sum up to the lines read."""
    assembler = Assembler(100_000)
    if stream:
        assembler.feed(stream, 7)

    assert stream.count(b"\n") == assembler.lines == assembler.lines_by_severity.total()


def test_continuation_lines_count_under_their_head() -> None:
    """A line after an error is an error's; the runner's line after it is not."""
    assembler = Assembler(100_000)
    assembler.feed(b"\n".join((ORDINARY.replace(b"[32m INFO", b"[31mERROR"), b"more", b"", RUNNER, b"")), 7)

    assert {"error": 3, "info": 1} == dict(assembler.lines_by_severity)


def test_what_is_open_does_not_grow_without_bound() -> None:
    """A million lines without head, or blank, leave no more held than a record's size."""
    assembler = Assembler(1000)
    bodies = 0
    for _ in range(100):
        bodies += sum(len(record.body) for record in singles(assembler.feed(b"0123456789\n" * 100 + b"\n" * 500, 7)))
    held = singles(assembler.flush())

    assert 1 == len(held)
    assert len(held[0].body) <= 1000
    assert bodies + len(held[0].body) >= 100 * 1000


def test_a_panic_is_complete_after_many_other_lines() -> None:
    """A panic without end does not hold back the lines after it for long."""
    assembler = Assembler(100_000)
    assembler.feed(PANIC + b"\nboom\n", 7)
    given_out = [len(assembler.feed(ORDINARY + b"\n", 7)) for _ in range(34)]

    assert [*[0] * 32, 33, 1] == given_out


def test_a_silence_ends_the_record() -> None:
    """After a flush a line without head begins a record without time and severity."""
    assembler = Assembler(100_000)
    assembler.feed(ORDINARY + b"\n", 7)
    assert (1, 7) == (assembler.open_lines, assembler.open_since_ns)
    first = singles(assembler.flush())
    assembler.feed(b"late\n", 9)
    second = singles(assembler.flush())

    assert [("info", b"Started")] == [(record.severity, record.body) for record in first]
    assert [Record(0, 9, "none", b"", b"late", b"", b"", 0, (), 1)] == second
