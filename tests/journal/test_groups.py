"""Groups of records as they stand in the file."""

from __future__ import annotations

import gzip

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import gzips
from exporter.journal import Group
from exporter.journal._groups import pack, unpack

groups = st.lists(
    st.builds(
        Group, st.text(), st.binary(), st.lists(st.binary() | st.just(b"x" * 9000), max_size=4), st.integers(0, 9)
    )
)


@given(groups)
def test_what_is_written_is_read(given_groups: list[Group]) -> None:
    """Small groups and large ones, which are compressed, come back as they were."""
    assert given_groups == unpack(pack(given_groups))


@pytest.mark.skipif(not gzips.IS_CHEAP, reason="ISA-L has no build for this machine: nothing is compressed")
def test_large_groups_are_compressed() -> None:
    """What is large takes less room; what was written before there was compression is still read."""
    large = [Group("s", b"r", [b"x" * 100_000])]

    assert 10_000 > len(pack(large))
    assert large == unpack(msgspec.msgpack.encode(large))


@pytest.mark.parametrize(
    "packed",
    [b"", b"\xc1", b"\x1f\x8b\x08", gzip.compress(b"\xc1"), gzip.compress(b"x" * 99)[:-3]],
    ids=["empty", "no value", "a torn head", "no value packed", "torn"],
)
def test_what_cannot_be_read_is_said(packed: bytes) -> None:
    """A torn or strange value is an error that says so."""
    with pytest.raises(ValueError, match="a batch in the journal cannot be read"):
        unpack(packed)
