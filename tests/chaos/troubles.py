"""What goes wrong in a storm beside the kills."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from exporter.simulator import End
from tests.chaos.collector import Mood
from tests.chaos.script import Script, Written

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from random import Random

    from exporter.simulator import Pipeline, World
    from tests.chaos.collector import Collector
    from tests.chaos.oracle import Oracle

_PROGRAM = ("Pending", "CompilingSql", "SqlCompiled", "CompilingRust", "Success")
_TICK_SECONDS = 0.02
_QUIET_SECONDS = 20.0
"""So long a pipeline says nothing at most, until all that it said was accepted."""


class Troubles:
    """Streams that are cut, servers that are upgraded and restarted, pipelines that change, a collector with moods."""

    def __init__(
        self,
        world: World,
        oracle: Oracle,
        collector: Collector,
        scripts: list[Script],
        modes: Sequence[str],
        random: Random,
    ) -> None:
        self._world = world
        self._oracle = oracle
        self._collector = collector
        self._scripts = scripts
        self._modes = modes
        self._random = random
        self.quiet: set[str] = set()
        """Pipelines, by id, that say nothing now: what a log loses must have been read."""

    def all(self) -> list[Coroutine[None, None, None]]:
        """Return all troubles, each without end."""
        return [
            self.cut_streams(),
            self.change_modes(),
            self.change_moods(),
            self.rename(),
            self.change_statuses(),
            self.restart_runner(),
            self.recreate(),
        ]

    async def cut_streams(self) -> None:
        """End streams in every way there is."""
        while True:
            await asyncio.sleep(self._random.uniform(0.05, 1.0))
            self._random.choice(self._scripts).pipeline.end_streams(
                self._random.choice((End.GONE, End.CLEAN, End.CUT, End.RESET, End.KILLED)), b"half of a l"
            )

    async def change_modes(self) -> None:
        """Upgrade the server, or roll it back: what is open goes on as it began."""
        while True:
            await asyncio.sleep(self._random.uniform(2, 12))
            self._world.version = self._random.choice(self._modes)

    async def change_moods(self) -> None:
        """Let the collector have bad moments."""
        while True:
            await self._collector.change(Mood.WELL)
            await asyncio.sleep(self._random.uniform(0.5, 5))
            await self._collector.change(self._random.choice(list(Mood)))
            await asyncio.sleep(self._random.uniform(0.2, 3))

    async def rename(self) -> None:
        """Give a pipeline another name: its log goes on."""
        number = 0
        while True:
            await asyncio.sleep(self._random.uniform(3, 15))
            number += 1
            pipeline = self._random.choice(self._scripts).pipeline
            self._world.rename(pipeline, f"{pipeline.name.partition('-')[0]}-{number}")
            pipeline.touch()

    async def change_statuses(self) -> None:
        """Change what the list says, in bursts quicker than it is asked. Counting starts with the first list."""
        await self._counting()
        while True:
            await asyncio.sleep(self._random.expovariate(0.4))
            pipeline = self._random.choice(self._scripts).pipeline
            if pipeline.id in self.quiet:
                continue
            for _ in range(self._random.randint(1, 3)):
                before = pipeline.state.program
                after = self._random.choice([word for word in _PROGRAM if word != before])
                pipeline.record(program=after)
                self._oracle.changed(pipeline.id, f"program: {before} → {after}")

    async def restart_runner(self) -> None:
        """Begin all logs anew, once all that they held was accepted: then nothing is lost with them."""
        while True:
            await asyncio.sleep(self._random.uniform(10, 40))
            everyone = {script.pipeline.id for script in self._scripts}
            if await self._accepted(everyone, lambda: self._oracle.waiting == 0):
                self._world.runner.restart(self._random.choice((End.CLEAN, End.CUT, End.RESET)))
                self._oracle.counts["restarts of the runner"] += 1
                for script in self._scripts:
                    self._oracle.wrote(script.pipeline.id, [first_line(script.pipeline)])
            self.quiet -= everyone

    async def recreate(self) -> None:
        """Delete a pipeline of which all was accepted, and make another one of its name."""
        await self._counting()
        while True:
            await asyncio.sleep(self._random.uniform(5, 20))
            place = self._random.randrange(len(self._scripts))
            pipeline, pipeline_id = self._scripts[place].pipeline, self._scripts[place].pipeline.id
            if await self._accepted({pipeline_id}, lambda one=pipeline_id: self._oracle.has_all(one)):  # type: ignore[misc]
                self._scripts[place] = Script(pipeline.recreate(None), self._random)
                self._oracle.counts["pipelines made again"] += 1
                know(self._oracle, self._scripts[place].pipeline)
                self._oracle.began(self._scripts[place].pipeline)
            self.quiet.discard(pipeline_id)

    async def _accepted(self, pipeline_ids: set[str], all_is: Callable[[], bool]) -> bool:
        """Silence pipelines until all that they said was accepted; false when that takes too long."""
        self.quiet |= pipeline_ids
        for _ in range(round(_QUIET_SECONDS / _TICK_SECONDS)):
            if all_is():
                return True
            await asyncio.sleep(_TICK_SECONDS)
        return False

    async def _counting(self) -> None:
        """Wait until statuses count: from the exporter's first list on."""
        while not self._oracle.counts["records"]:  # noqa: ASYNC110  (no event: it happens once, in the first seconds)
            await asyncio.sleep(0.1)


def know(oracle: Oracle, pipeline: Pipeline) -> None:
    """Have a new pipeline expected, and the line that its log begins with."""
    oracle.know(pipeline.id, pipeline.name)
    oracle.wrote(pipeline.id, [first_line(pipeline)])


def first_line(pipeline: Pipeline) -> Written:
    """Return the line that the runner wrote when the log began."""
    return Written(pipeline.logs.buffer.lines[0], "Fresh start of pipeline logs", begins=True)
