"""The simulated Feldera server in a process of its own. It prints as fast as it is read, line by line, or at a pace."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from exporter.simulator import World, quiet, serve
from tests.bench.logs.lines import checksum, made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from exporter.simulator.pipeline_record import PipelineRecord

_QUEUE_LINES = 4_000
_PORTION_LINES = 2_000
_TICK_SECONDS = 0.01


def main(connection: Connection, streams: int, lines: int, chunk_bytes: int | None, idle: int, mixed: bool) -> None:
    """Serve `streams` pipelines, or `idle` ones that never print.

    Questions: `url`; `checksum` of all that will be printed; `open`, how many streams are; `fast`, `single` and
    `paced` (with lines per second): print everything, and answer when it is on its way.
    """
    texts = [made(number, lines // streams, mixed=mixed) for number in range(streams)]
    asyncio.run(_serve(connection, quiet(idle) if idle else World(chores=False), texts, chunk_bytes))


async def _serve(connection: Connection, world: World, texts: list[list[bytes]], chunk_bytes: int | None) -> None:
    pipelines = [world.create(f"p{number}", compile_as=None) for number in range(len(texts))]
    async with serve(world, log_chunk_bytes=chunk_bytes) as server:
        while (question := await asyncio.to_thread(connection.recv)) is not None:
            match question:
                case ("url",):
                    connection.send(server.url)
                case ("checksum",):
                    connection.send(sum(map(checksum, texts)))
                case ("open",):
                    connection.send(sum(bool(one.logs.followers) for one in world.pipelines.values()))
                case ("fast",):
                    await _fast(pipelines, texts)
                    connection.send(None)
                case ("single",):
                    await _single(pipelines, texts)
                    connection.send(None)
                case ("paced", per_second):
                    await _paced(pipelines, texts, per_second)
                    connection.send(None)
                case _:
                    raise ValueError(question)


def _queued(pipeline: PipelineRecord) -> int:
    return max((one.queued for one in pipeline.logs.followers), default=_QUEUE_LINES)


async def _fast(pipelines: Sequence[PipelineRecord], texts: list[list[bytes]]) -> None:
    """Print whatever the readers take; the server writes up to 1,000 lines at once."""
    printed = [0] * len(pipelines)
    while any(done < len(text) for done, text in zip(printed, texts, strict=True)):
        before = sum(printed)
        for nth, pipeline in enumerate(pipelines):
            if printed[nth] < len(texts[nth]) and _queued(pipeline) < _QUEUE_LINES:
                pipeline.log_lines(texts[nth][printed[nth] : printed[nth] + _PORTION_LINES])
                printed[nth] = min(printed[nth] + _PORTION_LINES, len(texts[nth]))
            await asyncio.sleep(0)
        if sum(printed) == before:
            await asyncio.sleep(_TICK_SECONDS)


async def _single(pipelines: Sequence[PipelineRecord], texts: list[list[bytes]]) -> None:
    """Print a line to each stream in turn; none follows before the last one was written."""
    for nth in range(len(texts[0])):
        for pipeline, text in zip(pipelines, texts, strict=True):
            while _queued(pipeline):  # noqa: ASYNC110  (the follower tells nobody when it has written)
                await asyncio.sleep(0)
            pipeline.log_lines([text[nth]])
        await asyncio.sleep(0)


async def _paced(pipelines: Sequence[PipelineRecord], texts: list[list[bytes]], per_second: int) -> None:
    """Print so many lines a second over all streams, a hundred times a second."""
    began = time.monotonic()
    printed = 0
    total = sum(map(len, texts))
    while printed < total:
        due = min(int((time.monotonic() - began) * per_second), total)
        for number in range(printed, due):
            stream = number % len(pipelines)
            pipelines[stream].log_lines([texts[stream][number // len(pipelines)]])
        printed = due
        await asyncio.sleep(_TICK_SECONDS)
