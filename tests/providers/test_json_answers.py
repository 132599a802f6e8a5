"""JSON with texts that were cut."""

from __future__ import annotations

import msgspec
import pytest

from exporter.providers.json_answers import decode


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'["\ud83d"]', ["\ufffd"]),
        (rb'["a\udc80b", "\ud83d\ude00"]', ["a\ufffdb", "\U0001f600"]),
        (rb'["\ud83d\ud83d\ude00"]', ["\ufffd\U0001f600"]),
        (rb'["\\ud83d", "\ud83dx"]', ["\\ud83d", "\ufffdx"]),
        (b'["\xed\xa0\xbd"]', ["\ufffd" * 3]),
        (b'{"a": 1}', {"a": 1}),
    ],
)
def test_half_a_character(body: bytes, expected: object) -> None:
    """Half of a character is replaced, and all else stays as it is."""
    assert expected == decode(body)


@pytest.mark.parametrize("body", [b"", b"{", rb'["\ud83d"', b"\xff\xfe", b'["\\x"]'])
def test_what_is_no_json(body: bytes) -> None:
    """What is no JSON is none with characters replaced either."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        decode(body)
