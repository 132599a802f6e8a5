"""The moving tails of one pipeline, asked for again and again: one answer shows all its pods.

ask ─▶ each pod's text ─▶ MovingLog ─▶ its channel            no text: counted, and the position stays
 ▲                           │
 └── as often as they move ◀─┘                 by LookRate; a pipeline that is not live: every interval
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from exporter.logs.backoff import Backoff
from exporter.logs.look_rate import LookRate
from exporter.logs.moving import Window
from exporter.logs.moving_log import MovingLog
from exporter.providers.budget import Priority
from exporter.providers.errors import ProviderError
from exporter.tailing.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from exporter.logs.stats import LogStats
    from exporter.logs.tailer import Channel
    from exporter.providers.base import Tail

FORGET_SECONDS: Final = 86_400.0
"""A pod that was not seen for so long does not come back."""

SOON: Final = 2.0
"""In fastest looks: what is open waits for a look that is so near, and else only for the multi-line time."""

LONGEST_WAIT_SECONDS: Final = 10.0
"""What is open waits so long at most for an answer that was asked for."""

_STEP_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class TailPoller:
    """Reads the tails of one pipeline. `run()` goes on until cancelled, also again after it broke.

    `read` asks once and may raise a ProviderError. `channel` makes the channel of a pod, once. `live` tells whether
    lines may come; the moment it ceases to be, the tails are looked at once more. `first_sight`: the pipeline was never
    read before, so that with `start: end` all that its pods show at first is old. `pods` are those that the journal
    knows; `forget` is told of one that was not seen for a day, and then its channel is dropped.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[Priority], Awaitable[Sequence[Tail]]],
        channel: Callable[[str], Channel],
        stats: LogStats,
        *,
        interval_seconds: float,
        live: Callable[[], bool] = lambda: True,
        first_sight: bool = False,
        pods: Iterable[str] = (),
        forget: Callable[[str], Awaitable[None]] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.channels: dict[str, Channel] = {}
        """By pod."""
        self._read = read
        self._channel = channel
        self._stats = stats
        self._interval_seconds = interval_seconds
        self._live = live
        self._first_sight = first_sight
        self._known = {pod: monotonic() for pod in pods}
        self._forget = forget
        self._sleep = sleep
        self._monotonic = monotonic
        self._logs: dict[str, MovingLog] = {}
        self._rate = LookRate(interval_seconds)
        self._window = Window()
        self._old_pods: set[str] | None = None
        """Pods of the first answer whose first text is old; None before it."""
        self._answered_seconds: float | None = None
        self._took_seconds = 0.0

    async def run(self) -> None:
        """Ask, take in, wait."""
        self._known |= {pod: log.seen_seconds for pod, log in self._logs.items()}
        self._logs.clear()  # what was read and not handed on is read again
        backoff = Backoff()
        was_live = False
        try:
            while True:
                live = self._live()
                if live and not was_live:
                    self._rate.restart()
                was_live = live
                await self._look(backoff, live=live)
        finally:
            self._connected(0)

    async def _look(self, backoff: Backoff, *, live: bool) -> None:
        """Ask once, take in, and wait for the next look: the wait counts from the asking."""
        began = self._monotonic()
        try:
            tails = await self._ask()
        except ProviderError as error:
            await self._rest(self._fail(error, backoff), live=live)
            return
        backoff.reset()
        self._connected(1)
        await self._take(tails)
        seconds = self._wait_seconds(live=live)
        soon = live and seconds <= SOON * self._rate.fastest_seconds
        await self._rest(max(0.0, seconds - (self._monotonic() - began)), live=live, soon=soon)

    async def _ask(self) -> Sequence[Tail]:
        """Ask once. What is open waits for the answer, but not for long."""
        began = self._monotonic()
        first = self._answered_seconds is None
        asking = asyncio.ensure_future(self._read(Priority.OPEN if first and self._first_sight else Priority.REOPEN))
        try:
            if self._is_open():
                multiline_seconds = next(iter(self._logs.values())).channel.settings.multiline_seconds
                patience = max(multiline_seconds, min(2 * self._took_seconds, LONGEST_WAIT_SECONDS))
                await asyncio.wait({asking}, timeout=patience)
                if not asking.done():
                    await self._flush()
            return await asking
        finally:
            asking.cancel()
            self._took_seconds = self._monotonic() - began

    def _fail(self, error: ProviderError, backoff: Backoff) -> float:
        """Count an answer that did not come; return how long to wait."""
        why = refused(error)
        _log.debug("log of %s: %s", self.name, why)
        self._stats.reconnects[why.reason] += 1
        self._connected(0)
        return max(self._rate.seconds, backoff.next_seconds(why.retry_after_seconds))

    def _connected(self, streams: int) -> None:
        self._stats.open_streams = streams
        self._stats.version += 1

    async def _take(self, tails: Sequence[Tail]) -> None:
        """Take in an answer."""
        now = self._monotonic()
        if self._old_pods is None:
            self._old_pods = {tail.pod for tail in tails} if self._first_sight else set()
        share = max([await self._take_one(tail, now) for tail in tails], default=0.0)
        if share < 1.0 and self._answered_seconds is not None:
            self._rate.saw(share, now - self._answered_seconds)
        else:
            self._rate.restart()
        self._answered_seconds = now
        for log in self._logs.values():
            await log.rest()
        self._stats.version += 1
        await self._forget_old(now)

    async def _take_one(self, tail: Tail, now: float) -> float:
        """Take in what is shown of one pod; return how much of it was new, all of it where there is a gap."""
        log = self._log(tail.pod)
        log.seen_seconds = now
        if tail.text is None:
            self._stats.reconnects["not_found"] += 1
            return 0.0
        if self._old_pods:
            self._old_pods.discard(tail.pod)
        look = await log.take(tail.text)
        self._stats.reconnects["not_found"] += look.failed
        return 1.0 if look.gap else look.new / max(look.shown, 1)

    def _log(self, pod: str) -> MovingLog:
        """Return the log of a pod."""
        log = self._logs.get(pod)
        if log is None:
            channel = self.channels.get(pod)
            if channel is None:
                channel = self.channels[pod] = self._channel(pod)
            skips_old = pod in (self._old_pods or ()) and channel.is_new and channel.state.skip_before_ns > 0
            log = self._logs[pod] = MovingLog(channel, self._monotonic, self._window, skips_old=skips_old)
            self._known.pop(pod, None)
        return log

    async def _forget_old(self, now: float) -> None:
        """Let go of pods that do not come back."""
        before = now - FORGET_SECONDS
        seen = self._known | {pod: log.seen_seconds for pod, log in self._logs.items()}
        for pod in [pod for pod, seen_seconds in seen.items() if seen_seconds < before]:
            if pod in self._logs:
                await self._logs.pop(pod).flush()
            if self._forget is not None:
                await self._forget(pod)
            self.channels.pop(pod, None)
            self._known.pop(pod, None)

    def _wait_seconds(self, *, live: bool) -> float:
        """Return how long to wait for the next look."""
        if not live:
            return self._interval_seconds
        torn = any(log.is_torn for log in self._logs.values())
        return self._rate.fastest_seconds if torn else self._rate.seconds

    def _is_open(self) -> bool:
        return any(log.is_open for log in self._logs.values())

    async def _flush(self) -> None:
        for log in self._logs.values():
            await log.flush()

    async def _rest(self, seconds: float, *, live: bool, soon: bool = False) -> None:
        """Wait for the next look, no longer than the pipeline is as it was.

        What is open is given out meanwhile, unless that look comes soon.
        """
        if self._is_open() and not soon:
            multiline_seconds = next(iter(self._logs.values())).channel.settings.multiline_seconds
            first = min(multiline_seconds, seconds)
            await self._sleep(first)
            await self._flush()
            seconds -= first
        while seconds > 0 and self._live() == live:
            await self._sleep(min(seconds, _STEP_SECONDS))
            seconds -= _STEP_SECONDS
