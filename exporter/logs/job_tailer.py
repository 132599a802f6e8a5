"""Follow the log of a job: while it runs, again and again; when it has ended, once more as a whole, then never again.

running ─▶ follow ─▶ cut, early end, nothing yet ─▶ follow
              │                                      ▲
              │                                      └── runs again ◀──┐
              └─▶ ended ─▶ wait until what comes late is there ────────┴─▶ read what is left ─▶ done
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Protocol

from exporter.logs.backoff import MAX_SECONDS, Backoff
from exporter.logs.tailer import Channel, StreamRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exporter.logs.redact import Redactor
    from exporter.logs.resume import Position
    from exporter.logs.stats import LogStats
    from exporter.logs.tailer import Connection, Named, StreamState, TailSettings

LEFT_SECONDS: Final = 30.0
"""A stream that stays open, and brings nothing, so long after the end of its job is left."""

QUIET_SECONDS: Final = 5.0
"""A job that has logged nothing yet answers a stream that ends at once: it is opened again after so long at most."""

_log = logging.getLogger(__name__)


class Watch(Protocol):
    """What is known of the job."""

    def ended(self) -> bool:
        """Whether the newest look showed its end."""

    def resumed(self) -> bool:
        """Whether it runs again after the end that was waited for; then that one is forgotten."""

    async def ask(self) -> bool:
        """Ask the vendor whether it has ended. Raises StreamRefusedError."""

    def settle_seconds(self) -> float:
        """Return how long to wait until the log of the job, which has ended, is whole."""

    async def finished(self, state: StreamState) -> None:
        """Note that the log has been read to its end."""


class JobTailer(Channel):
    """The log of one job. `run()` ends when it has been read to its end.

    `open_stream(position, again, whole)`: `whole` asks for the text of a job that has ended.
    """

    def __init__(
        self,
        name: str,
        open_stream: Callable[[Position | None, bool, bool], Awaitable[Connection]],
        put: Callable[[Sequence[Named], StreamState], Awaitable[None]],
        redactor: Redactor,
        settings: TailSettings,
        stats: LogStats,
        state: StreamState,
        *,
        watch: Watch,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name, put, redactor, settings, stats, state)
        self._open_stream = open_stream
        self._watch = watch
        self._sleep = sleep

    async def run(self) -> None:
        """Read the log to its end."""
        while True:
            await self._follow()
            await self._sleep(self._watch.settle_seconds())
            if await self._read_rest():
                await self._watch.finished(self.state)
                return

    async def _follow(self) -> None:
        """Follow the log until the job has ended."""
        backoff = Backoff()
        while not self._watch.ended():
            before = self._lines_read
            retry_after = None
            try:
                reason = await self._connect_while_it_runs()
                # A stream that brought nothing says nothing of the job: the next list will.
                if reason == "end" and self._lines_read > before and await self._watch.ask():
                    return
            except StreamRefusedError as error:
                reason, retry_after = error.reason, error.retry_after_seconds
                _log.debug("log of %s: %s", self.name, error)
            self.broken_off(reason)
            if self._lines_read > before:
                backoff.reset()
            await self._sleep(backoff.next_seconds(retry_after, QUIET_SECONDS if reason == "end" else MAX_SECONDS))

    async def _read_rest(self) -> bool:
        """Read what is left of the log of a job that has ended; nothing where the vendor has deleted it.

        Returns whether it has been read to its end: that of a job that runs again is not whole.
        """
        backoff = Backoff()
        while not self._watch.resumed():
            retry_after = None
            try:
                reason = await self._connect(whole=True)
            except StreamRefusedError as error:
                reason, retry_after = error.reason, error.retry_after_seconds
                _log.debug("log of %s: %s", self.name, error)
            if reason in ("end", "not_found"):
                return True
            self.broken_off(reason)
            await self._sleep(backoff.next_seconds(retry_after))
        return False

    async def ends_here(self) -> bool:
        """Ask whether the job has still ended: it may run again, and be within a line. Raises StreamRefusedError."""
        return await self._watch.ask()

    @property
    def _lines_read(self) -> int:
        """How many lines are handed on in all."""
        position = self.state.position
        return 0 if position is None else position.lines

    async def _connect_while_it_runs(self) -> str:
        """Follow the stream to its end, which may never come: then it is cut some time after that of the job."""
        loop = asyncio.get_running_loop()
        before: tuple[bool, int] | None = None
        timer: asyncio.TimerHandle
        limit = asyncio.timeout(None)

        def look() -> None:
            nonlocal before, timer
            now = self._watch.ended(), self._lines_read
            if now == before and now[0]:
                limit.reschedule(loop.time())
            else:
                before, timer = now, loop.call_later(LEFT_SECONDS, look)

        timer = loop.call_later(LEFT_SECONDS, look)
        try:
            # Not in a task of its own: once a reader is cancelled, it must not hand on anything more.
            async with limit:
                return await self._connect(whole=False)
        except TimeoutError:
            if not limit.expired():
                raise
            return "cut"
        finally:
            timer.cancel()

    async def _connect(self, *, whole: bool) -> str:
        """Open the stream and read it to its end; return how it ended. Raises StreamRefusedError."""
        return await self.follow(await self._open_stream(self.state.position, self.opened, whole))
