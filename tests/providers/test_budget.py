"""The budget is never exceeded, goes to who is first in order, and comes back when it is not used."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.providers import budget as module
from exporter.providers.budget import Budget, Budgets, Priority

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator


class _Impatient(selectors.DefaultSelector):
    """Never waits: it turns the clock on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


@contextlib.contextmanager
def virtual_time() -> Iterator[Callable[[Coroutine[Any, Any, None]], None]]:
    """Give what runs a coroutine in a time of its own, which passes only while everybody waits."""
    selector = _Impatient()
    loop = asyncio.SelectorEventLoop(selector)
    loop.time = lambda: selector.now  # type: ignore[method-assign]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "time", SimpleNamespace(monotonic=lambda: selector.now))
        try:
            yield loop.run_until_complete
        finally:
            loop.close()


def now() -> float:
    """Return the virtual time."""
    return asyncio.get_running_loop().time()


async def take(budget: Budget, passed: list[tuple[float, Any]], priority: Priority, name: Any = None) -> None:
    """Acquire and note when that was."""
    await budget.acquire(priority)
    passed.append((now(), priority if name is None else name))


ARRIVALS = st.lists(st.tuples(st.floats(0, 30), st.sampled_from(list(Priority))), min_size=1, max_size=60)


@settings(max_examples=60, deadline=None)
@given(
    per_second=st.floats(0.2, 50),
    arrivals=ARRIVALS,
    hold=st.tuples(st.floats(0, 20), st.floats(0, 20)),
    cancelled=st.sets(st.integers(0, 59)),
)
def test_never_more_than_the_budget(
    per_second: float, arrivals: list[tuple[float, Priority]], hold: tuple[float, float], cancelled: set[int]
) -> None:
    """Over any span at most `rate * span + burst` pass, none while held, and nobody waits for ever."""
    passed: list[tuple[float, Any]] = []

    async def scenario() -> None:
        budget = Budget(per_second)
        start = now()
        loop = asyncio.get_running_loop()
        loop.call_at(start + hold[0], budget.hold, hold[1])

        async def one(at: float, priority: Priority) -> None:
            await asyncio.sleep(start + at - now())
            await take(budget, passed, priority)

        tasks = [asyncio.create_task(one(at, priority)) for at, priority in arrivals]
        for number, task in enumerate(tasks):
            if number in cancelled:
                loop.call_at(start + arrivals[number][0] + 0.5, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        stopped = sum(isinstance(result, asyncio.CancelledError) for result in results)
        assert len(arrivals) == len(passed) + stopped
        assert [] == [at for at, _ in passed if start + hold[0] < at < start + hold[0] + hold[1] - 1e-6]

    with virtual_time() as run:
        run(scenario())
    times = [at for at, _ in passed]
    burst = max(1.0, per_second)
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= per_second * (times[last] - times[first]) + burst + 1e-6


def test_the_order_of_use() -> None:
    """When the budget is short the list goes first, then events, then the sweep; among equals who came first."""
    passed: list[tuple[float, Any]] = []

    async def scenario() -> None:
        budget = Budget(1.0)
        await budget.acquire(Priority.LIST)
        order = [Priority.SWEEP, Priority.EVENTS, Priority.LIST, Priority.EVENTS]
        await asyncio.gather(
            *(take(budget, passed, priority, (priority.name, number)) for number, priority in enumerate(order))
        )

    with virtual_time() as run:
        run(scenario())
    assert [("LIST", 2), ("EVENTS", 1), ("EVENTS", 3), ("SWEEP", 0)] == [name for _, name in passed]


def test_a_burst_then_the_rate() -> None:
    """One second's worth passes at once, then one each `1 / rate`."""
    passed: list[tuple[float, Any]] = []

    async def scenario() -> None:
        budget = Budget(2.0)
        await asyncio.gather(*(take(budget, passed, Priority.LIST) for _ in range(5)))

    with virtual_time() as run:
        run(scenario())
    assert [1000.0, 1000.0, 1000.5, 1001.0, 1001.5] == pytest.approx([at for at, _ in passed], abs=0.01)


def test_unused_budget_is_no_more_than_a_burst() -> None:
    """An hour of silence saves up one second's worth."""

    async def scenario() -> None:
        budget = Budget(3.0)
        await asyncio.sleep(3600)
        assert 3.0 == budget.available()

    with virtual_time() as run:
        run(scenario())


@pytest.mark.parametrize("moment", ["while waiting", "as it is let through"])
def test_cancelling_gives_the_place_back(moment: str) -> None:
    """Whoever stops waiting leaves its turn to the next one, also when it has just been let through."""
    passed: list[tuple[float, Any]] = []

    async def scenario() -> None:
        budget = Budget(1.0)
        await budget.acquire(Priority.LIST)
        first = asyncio.create_task(take(budget, passed, Priority.LIST, "first"))
        await asyncio.sleep(0)
        if moment == "as it is let through":
            budget._tokens = 1.0
            budget._serve()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await take(budget, passed, Priority.LIST, "second")

    with virtual_time() as run:
        run(scenario())
    at, name = passed[0]
    waited = 1.0 if moment == "while waiting" else 0.0
    assert ("second", 1) == (name, len(passed))
    assert 1000.0 + waited == pytest.approx(at, abs=0.01)


def test_a_hold_can_be_prolonged_and_not_cut_short() -> None:
    """Of several wishes for quiet the longest counts, also for who waits already."""
    passed: list[tuple[float, Any]] = []

    async def scenario() -> None:
        budget = Budget(1.0)
        budget.hold(5)
        waiting = asyncio.create_task(take(budget, passed, Priority.LIST))
        await asyncio.sleep(1)
        budget.hold(9)
        budget.hold(2)
        assert (9.0, 0.0, 9.0) == (budget.held_seconds, budget.available(), budget.wait_seconds())
        await waiting

    with virtual_time() as run:
        run(scenario())
    assert [1010.0] == pytest.approx([at for at, _ in passed], abs=0.01)


def test_the_wait_is_foretold() -> None:
    """What a request would wait behind all others is known before it is made."""

    async def scenario() -> None:
        budget = Budget(2.0)
        assert (2.0, 0.0) == (budget.available(), budget.wait_seconds())
        tasks = [asyncio.create_task(budget.acquire(Priority.LIST)) for _ in range(5)]
        await asyncio.sleep(0)
        assert (0.0, 2.0) == (budget.available(), budget.wait_seconds())
        await asyncio.gather(*tasks)
        assert 0.5 == pytest.approx(budget.wait_seconds(), abs=0.01)

    with virtual_time() as run:
        run(scenario())


def test_sources_of_one_account_share_a_budget() -> None:
    """Sources with the same key and URL have one budget, the smallest of theirs; other keys or URLs have their own."""
    budgets = Budgets()
    one, other_url, other_key = ("http://a", "key"), ("http://b", "key"), ("http://a", "other")
    budgets.set_rates([(one, 10), (one, 2), (one, 5), (other_url, 10), (other_key, 10)])
    assert [2, 10, 10] == [budgets.of(account).per_second for account in (one, other_url, other_key)]
    assert 3 == len({id(budgets.of(account)) for account in (one, other_url, other_key)})


def test_a_new_rate_holds_for_those_who_have_the_budget_already() -> None:
    """A budget that is configured anew stays the same object, with the new rate."""
    budgets = Budgets()
    account = ("http://a", "key")
    budgets.set_rates([(account, 2)])
    before = budgets.of(account)
    budgets.set_rates([(account, 20)])
    assert (True, 20) == (before is budgets.of(account), before.per_second)


def test_a_new_rate_counts_from_now_on() -> None:
    """Time that passed under the old rate earns no more than it did; who waits already is let through by the new one."""
    passed: list[tuple[float, Any]] = []

    async def scenario() -> None:
        budget = Budget(0.01)
        await budget.acquire(Priority.LIST)
        await asyncio.sleep(10)
        waiting = asyncio.create_task(take(budget, passed, Priority.LIST))
        await asyncio.sleep(0)
        budget.set_rate(10)
        assert 0.1 == pytest.approx(budget.available(), abs=0.01)
        await waiting

    with virtual_time() as run:
        run(scenario())
    assert [1010.09] == pytest.approx([at for at, _ in passed], abs=0.01)


def test_a_budget_under_one_a_second_lets_one_through() -> None:
    """The burst is at least one request."""
    assert (1.0, 1.0) == (Budget(0.1).burst, Budget(0.1).available())


def test_the_queue_stays_small_when_waiters_leave() -> None:
    """Places that were given up do not pile up ahead of those who wait."""

    async def scenario() -> None:
        budget = Budget(1.0)
        await budget.acquire(Priority.LIST)
        for _ in range(100):
            task = asyncio.create_task(budget.acquire(Priority.LIST))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await budget.acquire(Priority.SWEEP)
        assert [] == budget._waiting

    with virtual_time() as run:
        run(scenario())
