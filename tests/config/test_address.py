"""Addresses to listen on."""

from __future__ import annotations

import pytest

from exporter.config import parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":10067", (None, 10067)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("localhost:80", ("localhost", 80)),
        ("[::1]:65535", ("::1", 65535)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
    ],
)
def test_addresses(text: str, expected: tuple[str | None, int]) -> None:
    """An address is a host, or none for every interface, and a port."""
    assert expected == parse_address(text)


@pytest.mark.parametrize(
    "text", ["", "10067", "host", "host:", ":65536", ":-1", "::1:80", "[::1]", "[x]:1", "a b:1", "-a:1"]
)
def test_no_addresses(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match=r"\{value\}"):
        parse_address(text)
