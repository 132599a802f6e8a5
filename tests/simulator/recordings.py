"""Answers of a real server, as they were recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tests.recordings import FOLDER

# What depends on the moment or the order of a hash map in the server, not on the answer.
_VOLATILE = {"date", "content-length"}


@dataclass(frozen=True)
class Recording:
    """One recorded answer."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


def recording(name: str) -> Recording:
    """Return the recorded answer of that name."""
    folder = FOLDER / name
    first, *lines = (folder / "headers").read_text().splitlines()
    pairs = (line.split(": ", 1) for line in lines if line)
    return Recording(
        int(first.split()[1]), stable_headers([(key, value) for key, value in pairs]), (folder / "body").read_bytes()
    )


def stable_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers in a comparable form: lower case, sorted, without those that always differ."""
    return sorted((key.lower(), value) for key, value in headers if key.lower() not in _VOLATILE)
