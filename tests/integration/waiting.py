"""Waiting for a condition: it is probed until it holds or a deadline passes. No test sleeps and hopes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

PAUSE_SECONDS = 0.05


async def until(what: str, probe: Callable[[], Awaitable[T]], holds: Callable[[T], bool], seconds: float = 60) -> T:
    """Probe until the answer holds and give it; AssertionError with the last answer after the deadline."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    while not holds(answer := await probe()):
        if clock() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {answer!r}")
        await asyncio.sleep(PAUSE_SECONDS)
    return answer


async def until_equal(what: str, expected: object, probe: Callable[[], Awaitable[object]], seconds: float = 60) -> None:
    """Probe until the answer is the expected one."""
    await until(f"{what} should be {expected!r}", probe, lambda answer: answer == expected, seconds)
