"""What all lanes know of the destination: whether it wants to be left alone, and when it last accepted anything.

quiet     it asked for it (Retry-After): nothing is sent before that time
in doubt  it refuses to be used: one request a minute, of one lane, until something is accepted
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.otlp.transport import Transport

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Destination:
    """One destination. Belongs to one event loop."""

    transport: Transport
    carries: str = "logs"
    """What is sent to it, for messages."""
    accepted_at: float = -math.inf
    accepted: int = 0
    """How many requests were accepted."""
    problem: str | None = None
    """Why nothing is sent at the moment; None when all is well."""
    remark: str = ""
    """What it said last beside accepting everything."""
    _quiet_until: float = -math.inf
    _doubted_until: float = -math.inf
    _in_doubt: bool = False
    _trusted: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear while the destination is in doubt."""
    _probing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Fair, so that each lane has its turn: what one lane sends may be the reason for the doubt."""

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until the destination may be asked, and ask within; while it is in doubt one lane at a time does."""
        while True:
            await self._wait_quiet()
            if not self._in_doubt:
                yield
                return
            async with self._probing:
                await self._wait_doubted()
                await self._wait_quiet()
                if self._in_doubt:
                    yield
                    return

    def quiet(self, seconds: float, reason: str) -> None:
        """Leave the destination alone for some seconds, as it asked for."""
        self._quiet_until = max(self._quiet_until, time.monotonic() + seconds)
        if self.problem is None:
            _log.warning(
                "%s wait for %.0f s as the destination asks for, nothing is lost: %s", self.carries, seconds, reason
            )
            self.problem = reason

    def doubt(self, seconds: float, problem: str) -> None:
        """Try the destination again after some seconds, with one request; something accepted ends that at once."""
        self._in_doubt = True
        self._trusted.clear()
        self._doubted_until = max(self._doubted_until, time.monotonic() + seconds)
        if self.problem != problem:
            _log.error("%s are held, nothing is lost: %s", self.carries, problem)
        self.problem = problem

    def passed(self) -> None:
        """Note that something was accepted."""
        if self.problem is not None:
            _log.info("the destination of %s accepts again", self.carries)
        self.problem, self.accepted_at = None, time.monotonic()
        self.accepted += 1
        self._in_doubt, self._doubted_until = False, -math.inf
        self._trusted.set()

    async def rest(self) -> None:
        """Wait until it may be tried again, or is trusted again, in no line: who has something else to send goes first."""
        await self._wait_doubted()

    async def _wait_quiet(self) -> None:
        while (left := self._quiet_until - time.monotonic()) > 0:  # noqa: ASYNC110  (a time, which may move on)
            await asyncio.sleep(left)

    async def _wait_doubted(self) -> None:
        while self._in_doubt and (left := self._doubted_until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._trusted.wait(), left)
