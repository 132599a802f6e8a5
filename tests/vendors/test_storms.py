"""The short forms of `make vendors`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.vendors import apify_storm, goldrush_storm

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


async def test_apify_loses_nothing(tmp_path: Path) -> None:
    """Killed three times while 20 jobs log, end, come back and go, the exporter gives every line, end and span once."""
    report = await apify_storm.storm(apify_storm.Options(streams=20, kills=3, messages_per_second=150.0), tmp_path)

    assert (3, []) == (report.kills, report.problems)


async def test_a_moving_tail_loses_nothing_that_is_shown(tmp_path: Path) -> None:
    """Of a tail that moves at up to 400 lines/s all that answers showed is given once, and a gap wherever two do not meet."""
    report = await goldrush_storm.storm(goldrush_storm.Options(seconds=25.0), tmp_path)

    assert [] == report.problems
    assert report.counts["lines"] > 0


async def test_a_moving_tail_goes_on_after_kills(tmp_path: Path) -> None:
    """Killed twice, the exporter goes on where the window still shows what was read before: nothing is lost or repeated."""
    options = goldrush_storm.Options(
        seconds=15.0, kills=2, rates=(0.0, 5.0, 20.0, 60.0), linger_seconds=60.0, replicas=2
    )
    report = await goldrush_storm.storm(options, tmp_path)

    assert [] == report.problems
    assert report.counts["lines"] > report.counts["lines never shown"] == 0
