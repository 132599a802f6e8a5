"""Whole lines from any chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.logs.lines import LineBuffer
from tests.logs.streams import cut

places = st.lists(st.integers(0, 10_000), max_size=20)


@given(st.binary(max_size=300), places)
def test_every_byte_comes_out_once_and_in_order(data: bytes, at: list[int]) -> None:
    """Blocks and the torn end together are what came in, however it was cut."""
    buffer = LineBuffer()
    blocks = [buffer.feed(chunk) for chunk in cut(data, at)]

    assert data == b"".join(blocks) + buffer.torn
    assert [] == [block for block in blocks if block and not block.endswith(b"\n")]
    assert b"\n" not in buffer.torn


@given(
    st.text("ab\n", max_size=120).map(str.encode) | st.binary(max_size=120) | st.text("aé𝄞\n").map(str.encode), places
)
def test_long_lines_are_cut_alike_whatever_the_chunks(data: bytes, at: list[int]) -> None:
    """Forced newlines stand at the same places for any chunks, are counted, and bound what is held."""
    whole, chunked = LineBuffer(5), LineBuffer(5)
    expected = whole.feed(data) + whole.torn
    actual = b""
    for chunk in cut(data, at):
        actual += chunked.feed(chunk)
        assert len(chunked.torn) <= 5

    assert expected == actual + chunked.torn
    assert whole.forced == chunked.forced == expected.count(b"\n") - data.count(b"\n")
    assert max(map(len, expected.split(b"\n"))) <= 5


@given(st.text("aé€𝄞\n"))
def test_long_lines_are_cut_between_characters(text: str) -> None:
    """No character of a line that is too long is lost to a cut."""
    buffer = LineBuffer(5)
    given_out = buffer.feed(text.encode()) + buffer.torn

    assert text.replace("\n", "") == given_out.decode().replace("\n", "")


def test_only_a_newline_ends_a_line() -> None:
    """Carriage returns, form feeds and Unicode separators stay inside a line."""
    line = "a\rb\x0bc\x0cd\x85e\u2028f\n".encode()

    assert line == LineBuffer().feed(line)


def test_a_reset_forgets_the_torn_line() -> None:
    """After a cut connection the line comes again from its beginning."""
    buffer = LineBuffer()
    assert b"" == buffer.feed(b"half a li")
    buffer.reset()

    assert b"a whole line\n" == buffer.feed(b"a whole line\n")
