"""A 429 holds a whole source, longer from one to the next."""

from __future__ import annotations

import pytest

from exporter.providers.budget import Budget
from exporter.providers.throttle import MAX_SECONDS, Throttle


def holds(count: int) -> list[float]:
    """Return for how long so many refusals, one after the other, hold a budget."""
    budget = Budget(10)
    throttle = Throttle(budget)
    found = []
    for _ in range(count):
        budget._held_until = 0.0
        throttle.refused(None)
        found.append(budget.held_seconds)
    return found


def test_the_hold_doubles() -> None:
    """Each refusal without Retry-After holds for a random time in [D, 2D], with D from 0.5 s doubling."""
    for number, seconds in enumerate(holds(5)):
        delay = 0.5 * 2**number
        assert delay * 0.99 <= seconds <= 2 * delay


def test_the_hold_is_bounded() -> None:
    """However often the vendor refuses, no hold is longer than twice the maximum."""
    assert max(holds(30)) <= 2 * MAX_SECONDS


def test_refusals_of_one_moment_count_once() -> None:
    """Requests that were under way when the first was refused make the hold no longer."""
    budget = Budget(10)
    throttle = Throttle(budget)
    for _ in range(10):
        throttle.refused(None)
    assert budget.held_seconds <= 1.0


def test_an_answer_ends_it() -> None:
    """After an answer that is none of these, the next refusal holds as briefly as the first."""
    budget = Budget(10)
    throttle = Throttle(budget)
    for _ in range(4):
        budget._held_until = 0.0
        throttle.refused(None)
    budget._held_until = 0.0
    throttle.accepted()
    throttle.refused(None)
    assert budget.held_seconds <= 1.0


def test_what_the_vendor_says_counts() -> None:
    """`Retry-After` holds for as long as it says."""
    budget = Budget(10)
    Throttle(budget).refused(30.0)
    assert 30.0 == pytest.approx(budget.held_seconds, abs=1.0)
