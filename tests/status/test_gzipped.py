"""The gzip body made of kept pieces, held against the plain way: the lines joined, then compressed."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.status.gzipped import BATCH, Group, GzipCache, Piece, multiply, power

LINES = st.lists(st.binary(max_size=40), max_size=12)
GROUPS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), LINES), max_size=4)


def unpack(body: bytes) -> bytes:
    """Unpack as a client does that stops after the first member, and see that nothing follows it."""
    unpacker = zlib.decompressobj(wbits=31)
    data = unpacker.decompress(body)
    assert (True, b"") == (unpacker.eof, unpacker.unused_data)
    return data


def distinct(groups: list[tuple[str | None, list[bytes]]]) -> list[Group]:
    """Make groups whose keys are distinct within a body."""
    return [Group(key and (key, number), lines) for number, (key, lines) in enumerate(groups)]


@given(st.lists(GROUPS, max_size=4))
def test_bodies_in_a_row(bodies: list[list[tuple[str | None, list[bytes]]]]) -> None:
    """Whatever a body has in common with the ones before it, it unpacks to exactly its own lines, with their checksum."""
    cache = GzipCache()
    for body in bodies:
        groups = distinct(body)
        assert b"".join(line for group in groups for line in group.lines) == unpack(cache.body(groups))


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_lengths(count: int) -> None:
    """A group grows and shrinks by single lines around the size of a batch and is whole each time."""
    cache = GzipCache()
    for length in (count, count + 1, count, max(0, count - 1), 0, count):
        lines = [f"line {number}\n".encode() for number in range(length)]
        assert b"".join(lines) == unpack(cache.body([Group("one", lines)]))


def test_only_changed_batches_are_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a group that changed in one line only that line's batch is compressed again."""
    compressed: list[list[bytes]] = []

    deflate = GzipCache._deflate

    def noting(cache: GzipCache, lines: list[bytes]) -> Piece:
        compressed.append(lines)
        return deflate(cache, lines)

    monkeypatch.setattr(GzipCache, "_deflate", noting)
    lines = [f"line {number}\n".encode() for number in range(3 * BATCH)]
    cache = GzipCache()
    cache.body([Group("one", list(lines))])
    compressed.clear()
    lines[BATCH] = b"another\n"
    cache.body([Group("one", lines)])
    assert [lines[BATCH : 2 * BATCH]] == compressed


def test_large_body() -> None:
    """Lines of many sizes, as compressible as those of metrics, unpack to themselves."""
    lines = [b'name{label="%d"} %d\n' % (number, number * number) * (1 + number % 50) for number in range(5000)]
    cache = GzipCache()
    groups = [Group("first", lines), Group(None, lines[:100]), Group("second", lines[::2])]
    for _ in range(2):
        assert b"".join(lines + lines[:100] + lines[::2]) == unpack(cache.body(groups))


@given(st.binary(max_size=100), st.binary(max_size=5000))
def test_checksums_combine(left: bytes, right: bytes) -> None:
    """The checksum of two texts in a row follows from their own and the second's length."""
    moved = multiply(power(len(right)), zlib.crc32(left))
    assert zlib.crc32(left + right) == moved ^ zlib.crc32(right)
