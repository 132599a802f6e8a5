"""A simulated Apify that lives in real time, and exporters that watch it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

from exporter.simulator import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.simulator.apify import ApifyWorld
    from exporter.simulator.server import SimulatorServer

TOKEN = "apify_api_secret"
_TICK_SECONDS = 0.05


@contextlib.asynccontextmanager
async def living(world: ApifyWorld) -> AsyncIterator[SimulatorServer]:
    """Serve a world, and let its time pass as ours does."""

    async def live() -> None:
        while True:
            world.advance_to(time.time_ns() // 1_000)
            await asyncio.sleep(_TICK_SECONDS)

    async with serve(apify=world, api_key=TOKEN) as server:
        life = asyncio.create_task(live())
        try:
            yield server
        finally:
            life.cancel()
            await asyncio.gather(life, return_exceptions=True)


def source(server: SimulatorServer, **further: Any) -> dict[str, Any]:
    """Configure the account as source `prod`."""
    keys = {"name": "prod", "provider": "apify", "url": server.url, "api_key": TOKEN}
    return {**keys, "interval": "1s", "budget": "200/s", **further}
