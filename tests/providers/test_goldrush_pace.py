"""GoldRush: how looks are spread, so that a third of the budget is left for the logs."""

from __future__ import annotations

import asyncio

import pytest

from exporter.providers.budget import Budget
from exporter.providers.goldrush._pace import Pace


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0

    async def sleep(self, seconds: float) -> None:
        """Move it."""
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    """Let the pace live by a clock of the test."""
    found = Time()
    monkeypatch.setattr(asyncio, "sleep", found.sleep)
    return found


async def test_a_look_takes_two_thirds_of_the_budget(time: Time) -> None:
    """After a burst of a second's worth the requests of a look are evenly spread."""
    pace = Pace(Budget(3.0), lambda: time.now)
    pace.begin()
    time.now += 15
    assert 30 == pytest.approx(pace.begin())
    times = []
    for _ in range(6):
        await pace.turn()
        times.append(time.now - 115)
    assert [0, 0, 0.5, 1.0, 1.5, 2.0] == pytest.approx(times)


async def test_the_first_look_need_not_wait(time: Time) -> None:
    """No log is read before it: the whole budget is its own, and the room of an interval."""
    pace = Pace(Budget(2.0), lambda: time.now)
    assert 20 == pytest.approx(pace.begin())
    for _ in range(9):
        await pace.turn()
    assert 100 == time.now


async def test_a_budget_below_one_a_second_is_spread_too(time: Time) -> None:
    """A slow budget has a burst of one request."""
    pace = Pace(Budget(0.3), lambda: time.now)
    pace.begin()
    time.now += 60
    pace.begin()
    times = []
    for _ in range(3):
        await pace.turn()
        times.append(time.now - 160)
    assert [0, 5, 10] == pytest.approx(times)
