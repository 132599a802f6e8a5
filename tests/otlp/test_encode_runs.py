"""Runs encoded column by column are what their records are one by one, and batches are packed from them alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs

from exporter.logs.run import OrdinaryHead, Run, singles
from exporter.otlp.encode import encode_record, stream_fields
from exporter.otlp.encode_runs import encode_columns, encode_named, encode_run
from exporter.otlp.wire import WireError, split_fields
from tests.otlp.samples import severities, times, valid_utf8

Encode = Callable[[Run, bytes, int, bytes], bytes]

heads = st.builds(
    OrdinaryHead,
    severities,
    st.sampled_from([b"INFO", b"ERROR"]),
    st.sampled_from([b"dbsp::circuit", b"a", b"t" * 5000]) | st.binary(min_size=1, max_size=20),
    st.sampled_from([b"", b"eval", b"s" * 3990]) | st.binary(max_size=20),
)
bodies = valid_utf8() | st.sampled_from([b"", b"x" * 4095, b"x" * 4096, b"x" * 110, b"x" * 128])
numbers = st.one_of(
    st.integers(0, 1200), st.integers(9_900, 10_100), st.integers(999_900, 1_000_100), st.integers(0, 2**70)
)
streams = st.sampled_from([b"", stream_fields(trace_id=b"t" * 16, span_id=b"s" * 8), b"\x7a\x01x" * 400])


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Return a run of a few heads and many bodies."""
    known = draw(st.lists(heads, min_size=1, max_size=3))
    lines = draw(st.lists(st.tuples(times, st.sampled_from(known), bodies), min_size=1, max_size=30))
    times_ns, said, texts = zip(*lines, strict=True)
    return Run(draw(st.integers(0, 99)), draw(times), list(times_ns), list(said), list(texts))


ways = pytest.mark.parametrize("encode", [encode_columns, encode_run])
"""Without a compiler both are the same."""


def plain(run: Run, beginning: bytes, number: int, stream: bytes) -> list[bytes]:
    """Return the records one by one."""
    return [encode_record(one, b"%b%d" % (beginning, number + nth), stream) for nth, one in enumerate(singles([run]))]


def decoded(records: bytes) -> list[LogRecord]:
    """Return records as the reference reads them, their attributes in order."""
    found = list(ScopeLogs.FromString(records).log_records)
    for record in found:
        attributes = sorted(record.attributes, key=lambda one: one.key)
        del record.attributes[:]
        record.attributes.extend(attributes)
    return found


@ways
@given(run=runs(), beginning=st.sampled_from([b"", b"epoch-", b"e" * 200 + b"-"]), number=numbers, stream=streams)
def test_a_run_means_the_same_as_its_records(
    encode: Encode, run: Run, beginning: bytes, number: int, stream: bytes
) -> None:
    """Also across the numbers at which an id takes a digit more, and with bodies and heads of any length."""
    one_by_one = plain(run, beginning, number, stream)

    assert decoded(b"".join(one_by_one)) == decoded(encode(run, beginning, number, stream))


@given(runs(), numbers)
def test_a_run_is_parted_into_its_records(run: Run, number: int) -> None:
    """What is put together can be sent one by one."""
    parts = split_fields(encode_named(run, f"epoch-{number}"))

    assert run.count == len(parts)
    assert decoded(b"".join(plain(run, b"epoch-", number, b""))) == [one for part in parts for one in decoded(part)]


@pytest.mark.parametrize(
    "fields", [b"\x12\x05abc", b"\x12", b"\x08\x01", b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"]
)
def test_what_is_no_fields_is_not_parted(fields: bytes) -> None:
    """Bytes that are cut off, or numbers, are an error."""
    with pytest.raises(WireError):
        split_fields(fields)


@ways
def test_a_uid_of_over_255_bytes_is_an_error(encode: Encode) -> None:
    """Also where the number takes one more digit in the middle of a run."""
    run = Run(0, 7, [1] * 2, [OrdinaryHead("info", b"INFO", b"a::b", b"")] * 2, [b"x"] * 2)
    with pytest.raises(IndexError):
        encode(run, b"e" * 250, 999_999, b"")


@ways
@pytest.mark.parametrize("count", [1, 2])
def test_a_uid_of_255_bytes_may_be_the_last(encode: Encode, count: int) -> None:
    """Where one more would be too long, the records before it are encoded all the same."""
    run = Run(0, 7, [1] * count, [OrdinaryHead("info", b"INFO", b"a::b", b"")] * count, [b"x"] * count)
    number = 100_000 - count

    assert decoded(b"".join(plain(run, b"e" * 250, number, b""))) == decoded(encode(run, b"e" * 250, number, b""))


@ways
def test_a_run_across_thousands_counts_up(encode: Encode) -> None:
    """The ids of 5,000 records in a row are all there, in order."""
    head = OrdinaryHead("info", b"INFO", b"a::b", b"")
    run = Run(0, 7, [1] * 5000, [head] * 5000, [b"x"] * 5000)
    uids = [one.attributes[0].value.string_value for one in decoded(encode(run, b"e-", 7, b""))]

    assert [f"e-{number}" for number in range(7, 5007)] == uids
