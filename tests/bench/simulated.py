"""The simulated Feldera server in a process of its own, with a clock that moves only when it is told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.simulator import quiet, serve

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from exporter.simulator import World

_SETTLE_SECONDS = 10.0


def main(connection: Connection, pipelines: int) -> None:
    """Serve. Questions: `url`; `requests`, how many have come so far; `change`, N of the pipelines that run."""
    asyncio.run(_serve(connection, quiet(pipelines)))


async def _serve(connection: Connection, world: World) -> None:
    async with serve(world) as server:
        while (question := await asyncio.to_thread(connection.recv)) is not None:
            match question:
                case ("url",):
                    connection.send(server.url)
                case ("requests",):
                    connection.send(server.counts.total())
                case ("change", count):
                    _change(world, count)
                    connection.send(count)
                case _:
                    raise ValueError(question)


def _change(world: World, count: int) -> None:
    """Pause so many provisioned pipelines, spread over all of them, or resume those that are paused."""
    provisioned = [one for one in world.pipelines.values() if one.state.resources == "Provisioned"]
    for pipeline in provisioned[:: len(provisioned) // count]:
        if pipeline.state.runtime == "Paused":
            pipeline.resume()
        else:
            pipeline.pause()
    world.advance(_SETTLE_SECONDS)
