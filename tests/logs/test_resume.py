"""Resuming, case by case: markers of the vendor, numbers that drift, lines cut in pieces, what is held."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs.resume import (
    CursorPosition,
    Gap,
    IndexPosition,
    OverlapPosition,
    Position,
    Stream,
    open_cursor,
    open_replay,
)
from exporter.logs.resume._ledger import Ledger
from exporter.logs.resume._position import DIGEST_BYTES, digests

EPOCH = "0199c3f1-2d0a-7e84-b711-6f2c9a1d4e08"
FRESH = b'[manager] 2026-11-21T07:31:01.029833Z  INFO pipeline_manager::runner::pipeline_logs: Fresh start of pipeline logs pipeline-id="01a1" pipeline-name="N/A"\n'
TEXT_NOTICE = b'[manager] 2026-11-21T07:46:14.594230Z  WARN pipeline_manager::runner::pipeline_logs: ... %d prior log lines were discarded due to buffer constraints and are thus not shown. pipeline-id="01a1" pipeline-name="N/A"\n'
JSON_NOTICE = b'{"timestamp":"2026-11-21T08:08:03.967829Z","level":"WARN","target":"pipeline_manager::runner::pipeline_logs","feldera-service":"runner","pipeline-name":"N/A","pipeline-id":"01a1","fields":{"line":"... %d prior log lines were discarded due to buffer constraints and are thus not shown."}}\n'
BARE_NOTICE = b"... %d prior log lines were discarded due to buffer constraints and are thus not shown.\n"
NOTICES = [notice.replace(dots, b"") for dots in (b"", b"... ") for notice in (TEXT_NOTICE, JSON_NOTICE, BARE_NOTICE)]


def numbered(start: int, stop: int) -> bytes:
    """Return lines that say their number."""
    return b"".join(b"line %d\n" % number for number in range(start, stop))


def position(stream: Stream, lines: int) -> Position:
    """Return the position after so many lines, as the journal gives it back."""
    stored: Position = msgspec.msgpack.decode(msgspec.msgpack.encode(stream.covered(lines)), type=Position)
    return stored


def after(stop: int, discarded: int = 10) -> Position:
    """Return the position of a reader of numbered lines up to `stop`."""
    stream = open_replay(None)
    stream.feed(TEXT_NOTICE % discarded + numbered(discarded, stop))
    return position(stream, stop - discarded)


@pytest.mark.parametrize("notice", NOTICES)
def test_the_notice_gives_the_number_and_is_no_line(notice: bytes) -> None:
    """A notice before the buffer, in any version's form, numbers the lines and is left out."""
    stream = open_replay(None)
    assert (numbered(10, 12), ()) == stream.feed(notice % 10 + numbered(10, 12))
    assert (11, 10) == (position(stream, 2).lines - 1, getattr(position(stream, 2), "discarded", None))


def test_fresh_start_is_a_line_and_number_0() -> None:
    """The line that names a new buffer is an ordinary one, and tells a new buffer at once."""
    stream = open_replay(None)
    assert FRESH == stream.feed(FRESH).block
    before = position(stream, 1)
    assert (1, DIGEST_BYTES) == (before.lines, len(before.recent))
    again = open_replay(before)
    assert (b"", ()) == again.feed(FRESH)
    assert b"next\n" == again.feed(b"next\n").block
    other = FRESH.replace(b"07:31", b"09:00")
    assert (other, (Gap("restart", None),)) == open_replay(before).feed(other)


@pytest.mark.parametrize(
    ("discarded", "given", "gap"),
    [
        (12, 20, None),
        (20, 20, None),
        (23, 23, Gap("overflow", 3)),
        (9, 9, Gap("restart", 9)),
    ],
)
def test_numbers_tell_what_was_lost(discarded: int, given: int, gap: Gap | None) -> None:
    """N grown past the position is an overflow of known size, N fallen a restart, anything else exact."""
    stream = open_replay(after(20))
    assert (numbered(given, 30), (gap,) if gap else ()) == stream.feed(
        TEXT_NOTICE % discarded + numbered(discarded, 30)
    )
    assert 30 == position(stream, 30 - given).lines


def test_another_line_at_the_number_is_another_buffer() -> None:
    """When the line at the last number differs, everything is new."""
    stream = open_replay(after(20))
    assert (b"", ()) == stream.feed(TEXT_NOTICE % 15 + b"x\n" * 4)
    assert (b"x\n" * 5, (Gap("restart", 15),)) == stream.feed(b"x\n")


def test_a_short_new_buffer_is_given_out_when_it_falls_quiet() -> None:
    """A new buffer that ends before the old number is held until the stream falls quiet, and not given out at its end."""
    stream = open_replay(after(20))
    assert (b"", ()) == stream.feed(TEXT_NOTICE % 15 + b"x\n")
    assert after(20) == stream.covered(0)
    assert (b"", ()) == stream.end()
    assert (b"x\n", (Gap("restart", 15),)) == stream.settle()


def test_more_than_a_buffer_holds_is_another_buffer() -> None:
    """What is held for a number is bounded by what the vendor's buffer can hold."""
    stream = open_replay(after(20), hold_bytes=50)
    assert b"" == stream.feed(TEXT_NOTICE % 15 + b"x" * 30 + b"\n").block
    assert (b"x" * 30 + b"\n") * 2 == stream.feed(b"x" * 30 + b"\n").block


def test_numbers_that_drifted_are_found_again() -> None:
    """A discarded message of several lines counts as one on old servers: the lines remembered tell the place."""
    stream = open_replay(after(100))
    fed = stream.feed(TEXT_NOTICE % 40 + numbered(43, 110))
    assert (numbered(100, 110), ()) == fed
    assert 107 == position(stream, 10).lines


def test_a_replay_without_numbers_is_aligned_by_its_text() -> None:
    """When a replay opens with neither the notice nor the first line, the text tells what is new."""
    stream = open_replay(after(100))
    assert (numbered(100, 101), ()) == stream.feed(numbered(50, 101))
    assert isinstance(position(stream, 1), OverlapPosition)
    back = open_replay(position(stream, 1))
    assert (numbered(101, 103), ()) == back.feed(TEXT_NOTICE % 60 + numbered(60, 103))
    assert isinstance(position(back, 2), IndexPosition)


def test_the_end_marker_is_left_out_only_at_the_end() -> None:
    """`Logs have ended` is the marker as the last line, and a line like others when more follow or nothing ends."""
    stream = open_replay(None)
    assert FRESH == stream.feed(FRESH + b"Logs have ended\n").block
    assert b"Logs have ended\nmore\n" == stream.feed(b"more\n").block
    assert b"" == stream.feed(b"Logs have ended\n").block
    assert b"Logs have ended\n" == stream.settle().block
    assert b"no Logs have ended\n" == stream.feed(b"no Logs have ended\n").block
    stream.feed(b"Logs have ended\n")
    assert b"" == stream.end().block


def test_an_upgraded_server_goes_on_by_number() -> None:
    """Both protocols number a buffer's lines alike, so that a change between them loses and repeats nothing."""
    stream = open_cursor(after(20), EPOCH, 12, 12)
    assert (numbered(20, 25), ()) == stream.feed(numbered(12, 25))
    assert (21, 0) == stream.number(0)
    cursor = position(stream, 5)
    assert isinstance(cursor, CursorPosition)
    assert (EPOCH, 25) == (cursor.epoch, cursor.seq)
    back = open_replay(cursor)
    assert (numbered(25, 26), ()) == back.feed(TEXT_NOTICE % 14 + numbered(14, 26))


def test_the_cursor_says_what_was_lost() -> None:
    """The headers give the gap at once, before any line, and the position that holds it."""
    before = CursorPosition(EPOCH, 7)
    stream = open_cursor(before, EPOCH, 9, 2)
    assert (b"", (Gap("overflow", 2),)) == stream.feed(b"")
    assert CursorPosition(EPOCH, 9, 9) == stream.covered(0)
    stream = open_cursor(before, EPOCH.replace("0", "1"), 3, 3)
    assert (b"", (Gap("restart", 3),)) == stream.feed(b"")
    assert CursorPosition(EPOCH.replace("0", "1"), 3, 3) == stream.covered(0)


def test_the_position_stays_until_the_buffer_is_known() -> None:
    """A new buffer is named by its first line: before it nothing is reported, and the position is the old one."""
    before = CursorPosition(EPOCH, 7)
    stream = open_cursor(before, EPOCH.replace("0", "1"), 0, 0)
    assert (b"", ()) == stream.feed(b"")
    assert before == stream.covered(0)
    assert (FRESH, (Gap("restart", None),)) == stream.feed(FRESH)
    assert 1 == position(stream, 1).lines


def test_a_cursor_past_the_end_is_taken_back() -> None:
    """The server answers a cursor past the end of its buffer with the end, and says that nothing is lost."""
    stream = open_cursor(CursorPosition(EPOCH, 9), EPOCH, 7, 0)
    assert (b"new\n", ()) == stream.feed(b"new\n")
    assert 8 == position(stream, 1).lines


def test_pieces_of_a_line_are_one_line() -> None:
    """Newlines that were not in the stream do not count, and a line is covered with its last piece."""
    stream = open_cursor(CursorPosition(EPOCH, 7), EPOCH, 7, 0)
    stream.feed(b"a\nbb\n", forced=1)
    stream.feed(b"bb\n", forced=1)
    stream.feed(b"b\nc\n")
    assert [8, 8, 8, 9, 10] == [position(stream, lines).lines for lines in range(1, 6)]
    assert [(8, 0), (9, 0), (9, 1), (9, 2), (10, 0)] == [stream.number(line) for line in range(5)]


def test_only_lines_given_out_can_be_covered() -> None:
    """A position for lines that nobody has is refused."""
    stream = open_cursor(CursorPosition(EPOCH, 7), EPOCH, 7, 0)
    with pytest.raises(ValueError, match="1 lines cannot be covered: 0 are already, 0 were given out"):
        stream.covered(1)


@given(st.lists(st.lists(st.sampled_from([b"", b"a", b"bc"]), min_size=1, max_size=9), max_size=6), st.data())
def test_the_last_lines_are_remembered_however_they_are_covered(blocks: list[list[bytes]], data: st.DataObject) -> None:
    """Digests carry on over blocks and commits: they are those of the last lines covered, no more than are kept."""
    ledger = Ledger(digests([b"before"]), keep=4)
    lines = [b"before"]
    covered = given_out = 0
    for block in blocks:
        ledger.add(b"".join(line + b"\n" for line in block))
        lines += block
        given_out += len(block)
        if data.draw(st.booleans()):
            covered = data.draw(st.integers(covered, given_out))
            assert (covered, digests(lines[: covered + 1][-4:])) == ledger.cover(covered)
