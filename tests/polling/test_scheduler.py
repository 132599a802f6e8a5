"""Polls are made on time, each source for itself, and what is not made is counted."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from exporter.polling.scheduler import Punctuality, Scheduler
from exporter.polling.settings import Settings
from exporter.providers.budget import Budget
from exporter.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

SECONDS = 30
"""Far more than anything here takes."""


class FakePoller:
    """A source whose polls last as long as a test wants."""

    def __init__(self, name: str, *, interval_seconds: float = 0.05) -> None:
        self.settings = Settings(name, interval_seconds, 1800.0, lambda _name: True)
        self.budget = Budget(10.0)
        self.polls = 0
        self.last_poll_seconds: float | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None
        self.quieted = False

    def quiet(self) -> None:
        """Be told that no poll may be made."""
        self.quieted = True

    async def poll(self) -> str:
        """Poll as the test wants."""
        self.polls += 1
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return "success"


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  (metrics do not announce themselves)
            await asyncio.sleep(0.005)


class Running:
    """A scheduler with fake sources, and what its metrics say."""

    def __init__(self, *pollers: Any) -> None:
        self.telemetry = Telemetry()
        self.scheduler = Scheduler(self.telemetry)
        for poller in pollers:
            self.telemetry.add_source(poller.settings.name, lambda: 1.0)
            self.scheduler.add(poller)

    async def __aenter__(self) -> Self:
        self.scheduler.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.scheduler.stop()

    def value(self, name: str, source: str, **labels: str) -> float:
        """Return a sample of the exporter's own metrics."""
        return self.telemetry.registry.get_sample_value(f"pipeline_exporter_{name}", {"source": source} | labels) or 0.0


def missed(*starts: float | None) -> int:
    """Return what is counted for starts at these moments, with an interval of 10; None is a refused poll."""
    counted: list[int] = []
    punctuality = Punctuality(10.0, counted.append)
    for start in starts:
        if start is None:
            punctuality.refused()
        else:
            punctuality.start(start)
    assert punctuality.missed == sum(counted)
    return punctuality.missed


def test_polls_on_time_are_none_missed() -> None:
    """Starts that are one interval apart, give or take the jitter, have missed nothing."""
    assert missed(0, 10.5, 20, 30.4, 49.9) == 0


def test_whole_intervals_between_starts_are_missed() -> None:
    """A start that comes three intervals after the last one has missed two polls."""
    assert missed(0, 30) == 2


def test_refused_polls_are_missed_once() -> None:
    """A poll that was refused while the last one ran is not counted again by the next start."""
    assert missed(0, None, None, 31) == 2
    assert missed(0, None, 41) == 3


async def test_slow_source_is_counted_and_leaves_the_others_on_time() -> None:
    """A source that does not answer misses its polls, visibly; another one is polled all the while."""
    slow, quick = FakePoller("slow"), FakePoller("quick")
    slow.free.clear()
    async with Running(slow, quick) as running:
        await until(lambda: running.value("polls_missed_total", "slow") >= 2)
        polls = quick.polls
        await until(lambda: quick.polls > polls + 2)
        assert (1, 0.0) == (slow.polls, running.value("polls_total", "slow", outcome="success"))
        slow.free.set()
        await until(lambda: running.value("polls_total", "slow", outcome="success") >= 2)


async def test_blocked_loop_is_counted() -> None:
    """Polls that were due while the process was held up are made once and counted as missed."""
    poller = FakePoller("prod")
    async with Running(poller) as running:
        await until(lambda: poller.polls >= 1)
        held_up = asyncio.get_running_loop().time() + 0.5
        while asyncio.get_running_loop().time() < held_up:
            pass
        polls = poller.polls
        await until(lambda: poller.polls > polls)
        assert running.value("polls_missed_total", "prod") >= 7


async def test_poll_that_breaks_is_counted_and_the_next_one_comes() -> None:
    """A failure that nobody foresaw ends one poll, not the polling."""
    poller = FakePoller("prod")
    poller.error = RuntimeError("nobody foresaw this")
    async with Running(poller) as running:
        await until(lambda: running.value("polls_total", "prod", outcome="error") >= 2)
        poller.error = None
        await until(lambda: running.value("polls_total", "prod", outcome="success") >= 1)


async def test_vendor_that_wants_quiet_is_not_polled() -> None:
    """While a `Retry-After` holds the budget no poll is begun, and that is counted."""
    poller = FakePoller("prod")
    poller.budget.hold(3600)
    async with Running(poller) as running:
        await until(lambda: running.value("polls_missed_total", "prod") >= 2)
        assert (poller.polls, poller.quieted) == (0, True)


async def test_clock_that_was_set_back_does_not_stop_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that is planned far too late, as the clock was set back, is made soon."""
    monkeypatch.setattr("exporter.polling.scheduler.WATCH_SECONDS", 0.01)
    poller = FakePoller("prod", interval_seconds=5)
    async with Running(poller) as running:
        await until(lambda: poller.polls == 1)
        later = datetime.now(UTC) + timedelta(hours=1)
        running.scheduler._scheduler.modify_job("prod", next_run_time=later)
        await until(lambda: poller.polls == 2)


async def test_removed_source_is_polled_no_more() -> None:
    """Removing a source cancels the poll under way."""
    poller = FakePoller("prod")
    poller.free.clear()
    async with Running(poller) as running:
        await until(lambda: poller.polls == 1)
        await running.scheduler.remove("prod")
        assert running.scheduler.next_poll_seconds("prod") is None
