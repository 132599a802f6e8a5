"""Overlap: what only the text tells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs.resume import Fed, Gap, OverlapPosition, Position, Stream, open_overlap
from exporter.logs.resume._position import DIGEST_BYTES, OVERLAP_LINES, digests

REPEATING = st.lists(st.sampled_from([b"a", b"b"]), max_size=14)


def joined(lines: list[bytes]) -> bytes:
    """Return lines as they are sent."""
    return b"".join(line + b"\n" for line in lines)


def fed(stream: Stream, lines: list[bytes], chunk: int) -> Fed:
    """Feed lines, so many at a time, and return what was new."""
    answers = [stream.feed(joined(lines[at : at + chunk])) for at in range(0, len(lines), chunk)]
    return Fed(b"".join(answer.block for answer in answers), tuple(gap for answer in answers for gap in answer.gaps))


def largest_place(read: list[bytes], kept: int, text: list[bytes]) -> int:
    """Return the place by the design's words, tried one by one."""
    return max(
        place
        for place in range(min(len(text), len(read)) + 1)
        if text[place - min(place, kept) : place] == read[len(read) - min(place, kept) :]
    )


def remembering(read: list[bytes], kept: int) -> OverlapPosition:
    """Return the position after lines of which so many are remembered."""
    return OverlapPosition(len(read), digests(read[-kept:]))


@given(REPEATING.filter(bool), st.integers(1, 14), REPEATING, st.integers(1, 14))
def test_a_whole_text_goes_on_after_the_largest_place(
    read: list[bytes], kept: int, text: list[bytes], chunk: int
) -> None:
    """A polled text is cut after the largest place that fits, however the lines come; 0 is a gap."""
    kept = min(kept, len(read))
    stream = open_overlap(remembering(read, kept))
    first = fed(stream, text, chunk)
    last = stream.settle()
    place = largest_place(read, kept, text)
    assert joined(text[place:]) == first.block + last.block
    assert (() if place or not text else (Gap("window", None),)) == first.gaps + last.gaps


@given(REPEATING.filter(bool), st.integers(1, 14), REPEATING, st.integers(1, 14))
def test_following_never_gives_out_less_than_a_whole_text(
    read: list[bytes], kept: int, text: list[bytes], chunk: int
) -> None:
    """A followed text that repeats itself may come twice, and loses no line that the rule would keep."""
    kept = min(kept, len(read))
    stream = open_overlap(remembering(read, kept), follow=True)
    block = fed(stream, text, chunk).block + stream.settle().block
    assert block.endswith(joined(text[largest_place(read, kept, text) :]))


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.booleans()), min_size=1, max_size=8),
    st.integers(1, 30),
    st.booleans(),
)
def test_distinct_lines_come_exactly_once(steps: list[tuple[int, int, bool]], chunk: int, follow: bool) -> None:
    """A window that moves over distinct lines gives each once; a gap is reported where two windows have none in common."""
    position: Position | None = None
    start = end = read = 0
    for head, tail, cut in steps:
        start, end = min(start + head, end + tail), end + tail
        text = [b"%d" % number for number in range(start, end)]
        stream = open_overlap(position, follow=follow)
        if cut:
            arrived = fed(stream, text[: len(text) // 2], chunk).block + stream.end().block
            position = stream.covered(arrived.count(b"\n"))
            new = [b"%d" % number for number in range(max(read, start), start + len(text) // 2)]
            assert joined(new).startswith(arrived)
            read = max(read, int(arrived.split()[-1]) + 1) if arrived else read
            continue
        first = stream.feed(joined(text))
        last = stream.settle()
        assert joined([b"%d" % number for number in range(max(read, start), end)]) == first.block + last.block
        missed = bool(text and read and start >= read)
        assert ((Gap("window", None),) if missed else ()) == first.gaps + last.gaps
        position = stream.covered((first.block + last.block).count(b"\n"))
        read = max(read, end) if text else read


@given(st.integers(2, 40), st.integers(1, 40), st.integers(0, 12), st.integers(1, 30), st.booleans(), st.data())
def test_a_head_that_is_cut_within_a_line_is_no_gap(
    read: int, kept: int, more: int, chunk: int, follow: bool, data: st.DataObject
) -> None:
    """Of distinct lines one in common that is whole tells the place, wherever the line before it is cut."""
    lines = [b"this is line %d" % number for number in range(read + more)]
    text = joined(lines)
    cut = data.draw(st.integers(0, len(joined(lines[: read - 1]))), label="cut")
    kept = min(kept, read)
    stream = open_overlap(remembering(lines[:read], kept), follow=follow, cuts_lines=True)
    first = fed(stream, text[cut:].split(b"\n")[:-1], chunk)
    last = stream.settle()
    assert (joined(lines[read:]), ()) == (first.block + last.block, first.gaps + last.gaps)
    position = stream.covered(more)
    assert isinstance(position, OverlapPosition)
    assert (read + more, digests(lines[max(0, read - kept) :])) == (position.read, position.recent)


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_only_lines_that_say_something_show_where_a_cut_head_belongs(cut: int) -> None:
    """Few lines that repeat elsewhere do not: what may be new is given out again, after a gap."""
    again = [b"at retry"] * 2
    before = remembering([b"first", *again, b"other", *again], 6)
    text = joined([b"unknown", *again, b"new"])[cut:]
    stream = open_overlap(before, cuts_lines=True)
    stream.feed(text)
    assert Fed(text, (Gap("window", None),)) == stream.settle()
    stream = open_overlap(before, cuts_lines=True)
    stream.feed(joined([b"nown", b"other", *again, b"new"]))
    assert Fed(b"new\n") == stream.settle()


def test_what_cuts_whole_lines_has_no_torn_head() -> None:
    """Where a vendor's log loses whole lines, a first line that differs is a gap."""
    lines = [b"%d" % number for number in range(9)]
    stream = open_overlap(remembering(lines, 9))
    stream.feed(joined([b"x", *lines[4:], b"new"]))
    assert (Gap("window", None),) == stream.settle().gaps


def test_a_followed_log_goes_on_at_once() -> None:
    """A replay is aligned as it arrives: the first new line is given out, without waiting for silence."""
    lines = [b"%d" % number for number in range(5000)]
    stream = open_overlap(None, follow=True)
    stream.feed(joined(lines))
    position = stream.covered(5000)
    assert isinstance(position, OverlapPosition)
    assert (5000, OVERLAP_LINES * DIGEST_BYTES) == (position.read, len(position.recent))
    stream = open_overlap(position, follow=True)
    assert b"" == stream.feed(joined(lines[2000:])).block
    assert b"new\n" == stream.feed(b"new\n").block
    assert 5001 == (stream.covered(1) or position).lines


def test_what_is_held_is_bounded() -> None:
    """A text that never fits is given out once it is larger than what the vendor stores."""
    stream = open_overlap(remembering([b"gone"] * 50, 50), follow=True, reason="overflow", hold_bytes=20)
    assert b"" == stream.feed(b"0123456789\n").block
    fed_last = stream.feed(b"0123456789\n")
    assert (b"0123456789\n" * 2, (Gap("overflow", None),)) == fed_last


def test_nothing_read_is_no_gap() -> None:
    """An answer without lines says nothing, and a first answer has no gap."""
    stream = open_overlap(remembering([b"a"], 1))
    assert (b"", ()) == stream.settle()
    assert remembering([b"a"], 1) == stream.covered(0)
    assert (b"b\n", ()) == open_overlap(None).feed(b"b\n")


def test_a_gap_is_found_once_whenever_a_kill_comes() -> None:
    """The position right after a gap begins anew: all lines are new, and none is missing before them."""
    before = remembering([b"%d" % number for number in range(50)], 50)
    other = [b"other %d" % number for number in range(80)]
    first = open_overlap(before, reason="overflow", follow=True)
    assert (Gap("overflow", None),) == first.feed(joined(other)).gaps
    again = open_overlap(first.covered(0), reason="overflow", follow=True)
    assert Fed(joined(other)) == again.feed(joined(other))
    third = open_overlap(again.covered(80), reason="overflow", follow=True)
    assert Fed(b"more\n") == fed(third, [*other, b"more"], 81)
