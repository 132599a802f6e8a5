"""Answers of a real server, kept beside the repository; tests skip where they are not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

FOLDER = Path(__file__).parents[3] / "shared" / "recordings" / "feldera"
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
    """Return the recorded answer of that name, or skip the test."""
    folder = FOLDER / name
    if not folder.is_dir():
        pytest.skip(f"the recordings are not beside the repository: {name}")
    first, *lines = (folder / "headers").read_text().splitlines()
    pairs = (line.split(": ", 1) for line in lines if line)
    return Recording(
        int(first.split()[1]), stable_headers([(key, value) for key, value in pairs]), (folder / "body").read_bytes()
    )


def stable_headers(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return headers in a comparable form: lower case, sorted, without those that always differ."""
    return sorted((key.lower(), value) for key, value in headers if key.lower() not in _VOLATILE)
