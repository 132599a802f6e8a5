"""Records to encode, and hypothesis strategies for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hypothesis import strategies as st

if TYPE_CHECKING:
    from exporter.logs.records import Record

SECOND = 1_000_000_000
NOW = 1_795_246_231 * SECOND
UID = b"0190a1b2c3d4e5f60718293a4b5c6d7e-123456"


def record(**fields: Any) -> Record:
    """Return a record of a common line, with some fields changed."""
    usual = {
        "time_ns": NOW,
        "observed_ns": NOW + 1000,
        "severity": "info",
        "severity_text": b"INFO",
        "body": b"Created view orders",
        "target": b"dbsp_adapters::controller",
        "spans": b"",
        "part": 0,
        "attributes": (),
        "first_line": 7,
    }
    assert fields.keys() <= usual.keys()
    return cast("Record", tuple((usual | fields).values()))


def valid_utf8() -> st.SearchStrategy[bytes]:
    """Return UTF-8 of any characters."""
    return st.text().map(lambda text: text.encode("utf-8", "replace"))


times = st.integers(0, 2**64 - 1)
severities = st.sampled_from(["none", "trace", "debug", "info", "warn", "error", "fatal"])
values = st.text() | st.booleans() | st.integers() | st.floats(allow_nan=False)
attributes = st.lists(st.tuples(st.text(), values), max_size=4).map(tuple)

records: st.SearchStrategy[Record] = st.builds(
    record,
    time_ns=times,
    observed_ns=times,
    severity=severities,
    severity_text=st.sampled_from([b"", b"INFO", b"ERROR"]) | st.binary(max_size=8),
    body=valid_utf8() | st.integers(4000, 5000).map(lambda size: b"x" * size),
    target=st.sampled_from([b"", b"dbsp::circuit"]) | st.binary(max_size=20),
    spans=st.just(b"") | st.binary(max_size=20),
    part=st.sampled_from([0, 0, 1, 2, 300]),
    attributes=attributes,
)
uids = st.text("0123456789abcdef-", max_size=255).map(str.encode)
resources = st.dictionaries(st.text(), st.text(), max_size=3)
