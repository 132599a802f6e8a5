"""The ring of lines that a server keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator.log_buffer import LogBuffer, Position


def test_the_byte_limit_is_inclusive() -> None:
    """A line of exactly the limit is kept alone; a longer one empties the buffer and counts as discarded itself."""
    buffer = LogBuffer()
    buffer.append(b"before")
    buffer.append(b"x" * 1_000_000)
    kept = [len(line) for line in buffer.lines]
    buffer.append(b"x" * 1_000_001)

    assert [1_000_000] == kept
    assert ([], 3, 3) == (list(buffer.lines), buffer.discarded, buffer.appended)


def test_at_most_50_000_lines_are_kept() -> None:
    """Short lines are limited by their number."""
    buffer = LogBuffer()
    buffer.extend([b"%d" % number for number in range(60_000)])

    assert (50_000, 10_000, b"10000") == (len(buffer.lines), buffer.discarded, buffer.lines[0])


@given(st.lists(st.lists(st.binary(max_size=15), max_size=12), max_size=12))
def test_many_lines_at_once_are_as_one_after_the_other(blocks: list[list[bytes]]) -> None:
    """Writing blocks leaves what writing lines leaves, whatever is too long."""
    together, single = LogBuffer(20, 5), LogBuffer(20, 5)
    for block in blocks:
        together.extend(block)
        for line in block:
            single.append(line)

        assert (list(single.lines), single.appended) == (list(together.lines), together.appended)
        assert sum(map(len, together.lines)) <= 20


def test_a_reader_begins_where_it_left_off_as_far_as_there_is_something() -> None:
    """Inside of the buffer a cursor is exact, before it there is a gap, beyond the end it waits for the next line."""
    buffer = LogBuffer(1_000, 5)
    buffer.extend([b"line"] * 8)

    assert [Position(3, 3), Position(3, 2), Position(3, 0), Position(6, 0), Position(8, 0), Position(8, 0)] == [
        buffer.resume(after) for after in (0, 1, 3, 6, 8, 99)
    ]
