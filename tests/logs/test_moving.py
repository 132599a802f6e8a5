"""Moving tails: what is new in each answer, against a model of a pod's log and of the window that is shown of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs.moving import Look, MovingTail, Window
from exporter.logs.resume import Gap, OverlapPosition

GAP = Gap("window", None)
SURE = 7
"""So much of a line tells which it is."""


def tail(*answers: bytes) -> MovingTail:
    """Return the tail after some answers."""
    moving = MovingTail(None)
    for answer in answers:
        moving.look(answer)
    return moving


def joined(lines: list[bytes]) -> bytes:
    """Return lines as they are shown."""
    return b"".join(line + b"\n" for line in lines)


def killed(moving: MovingTail) -> MovingTail:
    """Return what goes on from the position after all that was given out."""
    return MovingTail(moving.covered(moving.given))


def test_the_first_answer_is_new() -> None:
    """All of a new pod's text is new."""
    assert Look(block=b"a\nb\n", new=2, shown=2) == tail().look(b"a\nb\n")


def test_an_equal_answer_adds_nothing() -> None:
    """What was shown before is not given out again."""
    assert Look(shown=2) == tail(b"a\nb\n").look(b"a\nb\n")


def test_new_lines_follow_the_overlap() -> None:
    """What stands after the lines in common is new."""
    assert Look(block=b"d\n", new=1, shown=3) == tail(b"a\nb\nc\n").look(b"b\nc\nd\n")


def test_answers_without_a_line_in_common_are_a_gap() -> None:
    """Where nothing overlaps everything is new, behind a gap, also where the answers might just touch."""
    assert Look(b"", GAP, b"c\nd\n", 2, 2) == tail(b"a\nb\n").look(b"c\nd\n")


def test_a_gap_is_counted_once_whenever_a_kill_comes() -> None:
    """The position that is committed with a gap does not find it again."""
    moving = tail(b"a\nb\n", b"c\nd\n")
    assert Look(block=b"d\ne\n", new=2, shown=2) == MovingTail(moving.covered(2, past_gap=True)).look(b"d\ne\n")


def test_a_gap_that_is_not_committed_is_found_again() -> None:
    """The position before a gap still finds it."""
    moving = tail(b"a\nb\n", b"c\nd\n")
    assert GAP == MovingTail(moving.covered(2)).look(b"d\ne\n").gap


def test_an_empty_answer_keeps_the_position() -> None:
    """A pod that shows nothing goes on where it was."""
    assert Look(block=b"c\n", new=1, shown=2) == tail(b"a\nb\n", b"").look(b"b\nc\n")


def test_lines_after_an_empty_answer_are_whole() -> None:
    """A pod that had said nothing yet has lost nothing, as long as an answer shows less than it could."""
    assert Look(block=b"a\nb\n", new=2, shown=2) == tail(b"").look(b"a\nb\n")


def test_a_full_answer_after_an_empty_one_is_a_gap() -> None:
    """Where an answer shows as much as the vendor ever does, lines may be missing before it."""
    window = Window()
    other = MovingTail(None, window)
    for answer in (b"a\nb\n", b"b\nc\n"):
        other.look(answer)
    moving = MovingTail(None, window)
    moving.look(b"")
    assert GAP == moving.look(b"x\ny\n").gap
    hundred = b"".join(b"%d\n" % number for number in range(100))
    assert GAP == tail(b"").look(hundred).gap


def test_an_unfinished_line_waits_for_its_end() -> None:
    """A last line without newline comes with the answer that ends it, whole."""
    moving = tail(b"a\nbeg")
    assert Look(block=b"begun\n", new=1, shown=2) == moving.look(b"a\nbegun\n")


def test_an_unfinished_line_is_given_out_after_the_wait_and_then_its_rest() -> None:
    """What was given out of a line does not come again."""
    moving = tail(b"a\nbeg")
    assert b"beg\n" == moving.settle()
    assert Look(block=b"un\nc\n", new=2, shown=3) == moving.look(b"a\nbegun\nc\n")


def test_a_line_that_ended_where_it_was_given_out_is_read() -> None:
    """A newline alone adds nothing, and the next answers join behind it."""
    moving = tail(b"a\nb")
    moving.settle()
    assert Look(block=b"", new=1, shown=2) == moving.look(b"a\nb\n")
    assert Look(block=b"c\n", new=1, shown=2) == moving.look(b"b\nc\n")


def test_the_rest_of_a_line_comes_after_a_kill_too() -> None:
    """How much was given out of an unfinished line outlives the process."""
    moving = tail(b"a\nbeg")
    moving.settle()
    assert Look(block=b"un\n", new=1, shown=2) == killed(moving).look(b"a\nbegun\n")


def test_an_unfinished_line_ends_at_a_gap() -> None:
    """What was read of a line before a gap is given out before it."""
    assert Look(b"beg\n", GAP, b"c\nd\n", 2, 2) == tail(b"a\nbeg").look(b"c\nd\n")


def test_a_last_line_without_newline_is_a_line_in_common() -> None:
    """Where newlines at the end are left out, the last line is what two answers may have in common."""
    assert Look(block=b"b\n", new=1, shown=1) == tail(b"a\nb").look(b"b\nc")
    moving = tail(b"a\nb")
    moving.settle()
    assert Look(block=b"", new=1, shown=1) == moving.look(b"b\nc")


def test_a_cut_character_at_the_end_waits() -> None:
    """The first half of a character that was replaced is not given out: the next answer has the character."""
    moving = tail("a\ncaf\N{REPLACEMENT CHARACTER}".encode())
    assert b"caf\n" == moving.settle()
    assert "é\n".encode() == moving.look("a\ncafé\n".encode()).block


def test_a_cut_first_line_overlaps() -> None:
    """A tail that begins within a line goes on from the line that it is the end of."""
    assert Look(block=b"third\n", new=1, shown=3) == tail(b"first\nsecond\n").look(b"st\nsecond\nthird\n")


def test_a_cut_first_line_overlaps_after_a_kill() -> None:
    """That the tail is cut outlives the process."""
    moving = tail(b"first\nsecond\n", b"rst\nsecond\nthird\n")
    assert Look(block=b"fourth\n", new=1, shown=3) == killed(moving).look(b"ond\nthird\nfourth\n")


def test_a_cut_first_line_after_a_gap_is_left_out() -> None:
    """The end of a line whose beginning is in the gap is no line, where tails of this size are known to be cut."""
    moving = tail(b"0123456789\nabcdefghij\n", b"3456789\nabcdefghij\nklmnopqrst\n")
    assert Look(b"", GAP, b"wordsofall\nkindofword\n", 3, 3) == moving.look(b"rds0000\nwordsofall\nkindofword\n")


def test_one_line_that_goes_on_from_nothing_is_doubtful() -> None:
    """A single line without newline in the place of a log may be a reason why it could not be fetched."""
    moving = tail(b"a\nb\n")
    assert Look() == moving.look(b"some trouble")
    assert moving.doubtful
    assert 0 == moving.waiting_bytes
    assert Look(block=b"c\n", new=1, shown=2, failed=True) == moving.look(b"b\nc\n")


def test_one_line_that_goes_on_later_was_a_log() -> None:
    """A doubtful line that the next answer begins with is the first of a new log."""
    assert Look(b"", GAP, b"fresh start\nx\n", 2, 2) == tail(b"a\nb\n", b"fresh").look(b"fresh start\nx\n")


def test_one_line_that_stays_is_believed() -> None:
    """A doubtful line can be taken for a log: it is given out behind one gap, and its rest later."""
    moving = tail(b"a\nb\n", b"fresh")
    assert Look(gap=GAP) == moving.believe()
    assert b"fresh\n" == moving.settle()
    assert Look(block=b" start\n", new=1, shown=1) == moving.look(b"fresh start\n")


@dataclass
class Pod:
    """A pod's log of lines that differ, and what a reader should have given out of it."""

    lines: list[bytes] = field(default_factory=list)
    open: bytes = b""
    begins: int = 0
    """The number of the first line that the container's log still has."""

    def write(self, count: int) -> None:
        """End the open line, and write so many."""
        for _ in range(count):
            self.lines.append(self.whole())
            self.open = b""

    def begin(self, size: int) -> None:
        """Write a part of a line, enough to know it by."""
        self.open = self.whole()[: max(SURE, size, len(self.open))]

    def restart(self) -> None:
        """Begin with an empty log, and say something at once."""
        self.open = b""
        self.begins = len(self.lines) + 1
        self.lines.append(b"never seen")
        self.write(1)

    def whole(self) -> bytes:
        """Return the line that is being written, as it will be."""
        number = len(self.lines)
        return (f"{number:05d} " + "é." * (number * 7 % 13 + 4)).encode()

    def window(self, lines: int) -> tuple[int, bytes]:
        """Return the newest lines, and the number of the first of them."""
        start = max(self.begins, len(self.lines) + bool(self.open) - lines)
        return start, b"".join(line + b"\n" for line in self.lines[start:]) + self.open


@dataclass
class Reader:
    """What is to be given out, by the design's words, without newlines."""

    text: bytes = b""
    gaps: int = 0
    done: int = -1
    """Lines before this number were read; -1: nothing was."""
    begun: bytes = b""
    given: int = 0
    any_line: bool = False

    def look(self, pod: Pod, start: int) -> None:
        """Take an answer that begins with the line of this number."""
        end = len(pod.lines)
        seen = self.any_line or bool(self.begun)
        if seen and (start >= self.done if self.any_line else start != self.done):
            self.gaps += 1
            if start != self.done:
                self.text += self.begun[self.given :]
            self.done, self.given = start, 0
        elif not seen:
            self.done = start
        for number in range(self.done, end):
            self.text += pod.lines[number][self.given :]
            self.given, self.begun = 0, b""
            self.any_line = True
        self.done = end
        self.begun = pod.open or self.begun

    def settle(self) -> None:
        """Give out the open line."""
        self.text += self.begun[self.given :]
        self.given = len(self.begun)


REPEATING = st.lists(st.sampled_from([b"a", b"b"]), max_size=12)

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(1, 9)),
        st.tuples(st.just("begin"), st.integers(SURE, 12)),
        st.tuples(st.just("restart"), st.just(0)),
        st.tuples(st.just("settle"), st.just(0)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
        st.tuples(st.just("look"), st.just(0)),
    ),
    max_size=40,
)


@given(STEPS, st.integers(2, 6))
def test_every_line_once_or_one_gap(steps: list[tuple[str, int]], lines: int) -> None:
    """Whatever is written between looks: every line that was shown comes once, and a gap stands where none overlaps."""
    pod, reader, moving = Pod(), Reader(), MovingTail(None)
    text, gaps = b"", 0
    for name, number in [*steps, ("look", 0)]:
        if name == "write":
            pod.write(number)
        elif name == "begin":
            pod.begin(number)
        elif name == "restart":
            pod.restart()
        elif name == "settle":
            text += moving.settle()
            reader.settle()
        elif name == "kill":
            moving = MovingTail(moving.covered(moving.given, past_gap=True))
            reader.begun = reader.begun[: reader.given]
        else:
            start, shown = pod.window(lines)
            look = moving.look(shown)
            text += look.ended + look.block
            gaps += look.gap is not None
            reader.look(pod, start)
        assert reader.text == text.replace(b"\n", b"")
        assert reader.gaps == gaps


@given(STEPS, st.data())
def test_any_line_can_be_the_last_that_is_covered(steps: list[tuple[str, int]], data: st.DataObject) -> None:
    """After a kill exactly the lines that were not covered come again."""
    pod, moving = Pod(), MovingTail(None)
    handed_on: list[bytes] = []
    given: list[bytes] = []
    for name, number in [*steps, ("look", 0), ("settle", 0)]:
        if name == "write":
            pod.write(number)
        elif name == "begin":
            pod.begin(number)
        elif name == "kill":
            covered = data.draw(st.integers(0, moving.given))
            handed_on += given[:covered]
            moving, given = MovingTail(moving.covered(covered)), []
        elif name == "settle":
            given += lines_of(moving.settle())
        elif name == "look":
            given += lines_of(moving.look(pod.window(10_000)[1]).block)
    assert b"".join([*pod.lines, pod.open]) == b"".join(handed_on + given)


@given(STEPS, st.integers(600, 700))
def test_a_tail_that_is_limited_by_bytes_repeats_nothing(steps: list[tuple[str, int]], size: int) -> None:
    """Wherever the first line is cut, also within a character: it comes once, whole, as long as the answers overlap."""
    pod, moving = Pod(), MovingTail(None)
    text, unseen = b"", 0
    for name, number in [*steps, ("look", 0), ("end", 0), ("look", 0)]:
        if name == "end" or (name == "write" and unseen + number <= 8):
            pod.write(max(number, 1))
            unseen += number
        elif name == "begin":
            pod.begin(number)
        elif name == "settle":
            text += moving.settle()
        elif name == "kill":
            moving = killed(moving)
        elif name == "look":
            unseen = 0
            look = moving.look(pod.window(10_000)[1][-size:].decode(errors="replace").encode())
            assert look.gap is None
            text += look.block
    assert b"".join(pod.lines) == text.replace(b"\n", b"")


@given(st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=12), st.lists(REPEATING, max_size=6))
def test_lines_that_repeat_go_on_after_the_largest_place(first: list[bytes], answers: list[list[bytes]]) -> None:
    """Of lines that are equal the rule decides: the largest place whose lines before it are the last ones read."""
    moving, read = tail(joined(first)), list(first)
    for answer in answers:
        place = max(
            place
            for place in range(min(len(answer), len(read)) + 1)
            if answer[max(0, place - len(read)) : place] == read[len(read) - min(place, len(read)) :]
        )
        look = moving.look(joined(answer))
        assert joined(answer[place:]) == look.block
        assert (answer != [] and place == 0) == (look.gap is not None)
        read = [*([] if look.gap else read), *answer[place:]]


def lines_of(block: bytes) -> list[bytes]:
    """Return the lines of a block."""
    return block.split(b"\n")[:-1]


def test_more_lines_than_were_given_out_cannot_be_covered() -> None:
    """A position past what was read is a mistake of the caller."""
    with pytest.raises(ValueError, match="2 lines cannot be covered: only 1 were given out"):
        tail(b"a\n").covered(2)


def test_a_position_of_another_kind_is_none() -> None:
    """A pod whose position cannot be used begins anew."""
    assert OverlapPosition(0) == MovingTail(None).covered(0)
