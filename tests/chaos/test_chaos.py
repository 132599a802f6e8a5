"""The short form of `make chaos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chaos.storm import Options, storm

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


async def test_ten_kills_lose_nothing(tmp_path: Path) -> None:
    """Killed at ten random moments, the exporter delivers every line in order, and repeats only what it may."""
    report = await storm(Options(kills=10, seed=10), tmp_path)

    assert (10, []) == (report.kills, report.problems)
