"""What waits is written again from memory, when the journal was corrupt and has begun anew."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from exporter.journal import JournalError

if TYPE_CHECKING:
    from exporter.otlp.outbox import Outbox

RETRY_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


async def write_again(outbox: Outbox) -> None:
    """Write what an outbox has in memory, again and again until the journal takes it."""
    while True:
        try:
            await outbox.write_again()
        except JournalError as error:
            _log.error("what waits to be sent is not in the journal: %s; tried again until it is", error)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return
