"""The chunked coding against its plain version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.providers import chunked
from exporter.providers.chunked import ChunkDecoder, ChunkedError
from tests.logs.streams import cut
from tests.providers.plain_chunked import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator

_TEXTS = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.sampled_from((b"[p] a line\n", b"\r\n", b"a\r\n", b"\r", b"5\r\nhello\r\n", b"0\r\n\r\n", b"x" * 40_000, b"\n")),
)
_EXTENSIONS = st.sampled_from((b"", b"", b"", b"", b";a=b", b' ; a="\r"', b" "))
_TRAILERS = st.sampled_from((b"\r\n", b"\r\n", b"A: b\r\nC: d\r\n\r\n"))
places = st.lists(st.integers(0, 100_000), max_size=12)


@pytest.fixture(
    autouse=True, scope="module", params=[chunked.take_by_split, chunked.take_many], ids=["split", "fastest"]
)
def _take(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have many chunks taken in each of the ways; without a compiler both are the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunked, "take_many", request.param)
        yield


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return a stream of chunks as any server may write them."""
    parts = []
    for text in draw(st.lists(_TEXTS, max_size=30)):
        size = draw(st.sampled_from((b"%x", b"%X", b"00%x"))) % len(text)
        parts.append(size + draw(_EXTENSIONS) + b"\r\n" + text + b"\r\n")
    return b"".join(parts) + b"0" + draw(_EXTENSIONS) + b"\r\n" + draw(_TRAILERS)


def fed(stream: bytes, at: list[int]) -> tuple[bytes, bool]:
    """Return what the decoder makes of a stream that comes in these pieces."""
    decoder = ChunkDecoder()
    found = b"".join(decoder.feed(piece) for piece in cut(stream, at))
    return found, decoder.done


@given(bodies(), places)
def test_any_pieces_give_what_the_plain_version_gives(body: bytes, at: list[int]) -> None:
    """Extensions, trailers and data that looks like chunks are read alike, wherever the stream is cut in pieces."""
    assert decoded(body) == fed(body, at)
    assert fed(body, at)[1]


@given(bodies(), places, st.integers(0, 100_000))
def test_a_cut_stream_gives_all_that_came(body: bytes, at: list[int], end: int) -> None:
    """Of a stream that breaks off anywhere all data before that place is given out, and it has not ended."""
    torn = body[: end % len(body)]

    assert decoded(torn) == fed(torn, at)
    assert not fed(torn, at)[1]


@given(
    st.lists(st.binary(min_size=1, max_size=200).map(lambda text: text.replace(b"\r", b"")).filter(bool), min_size=1),
    places,
)
def test_a_chunk_a_line_is_read_at_once_and_alike(texts: list[bytes], at: list[int]) -> None:
    """Chunks without a carriage return, which are parted at once, give their data in order."""
    stream = b"".join(b"%X\r\n%b\r\n" % (len(text), text) for text in texts)

    assert (b"".join(texts), False) == fed(stream, at)


@pytest.mark.parametrize(
    ("stream", "before"),
    [
        (b"1\r\naxx\r\n", b"a"),
        (b"1\r\na\r\nnonsense\r\n", b"a"),
        (b"1\r\na\r\n-1\r\n", b"a"),
        (b"1\r\na\r\n\r\n", b"a"),
        (b"1\r\na\r\n" + b"1" * 20_000, b"a"),
        (b"1\r\na\r\n1;" + b"x" * 20_000 + b"\r\n", b"a"),
        (b"1\r\na\r\n" + b"f" * 16 + b"\r\n", b"a"),
    ],
)
def test_what_is_no_chunk_is_refused(stream: bytes, before: bytes) -> None:
    """Anything else than a chunk is an error, and what came before it is given out."""
    with pytest.raises(ChunkedError) as caught:
        ChunkDecoder().feed(stream)
    assert before == caught.value.before


def test_what_comes_after_the_end_is_left_alone() -> None:
    """Bytes after the last chunk are not data."""
    decoder = ChunkDecoder()

    assert b"a" == decoder.feed(b"1\r\na\r\n0\r\n\r\nmore")
    assert decoder.done
