"""A poller over a vendor without history, whose looks the test writes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.journal import Journal
from exporter.polling.poller import Poller
from exporter.polling.settings import Settings
from exporter.polling.tracked import TrackedSource
from exporter.providers.base import NOTHING_KNOWN, Provider
from exporter.providers.budget import Budget
from exporter.status.exposition import Exposition, SourceSeries
from exporter.status.model import Event, Listing, PipelineNow, Vocabulary
from exporter.status.series import Context
from exporter.status.words import Words
from tests.polling.harness import Harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exporter.providers.base import Health
    from exporter.status.model import Known

START = 1_900_000_000.0
"""After any real clock: the journal forgets at its opening what is long gone by that."""
VOCABULARY = Vocabulary(
    facets={"phase": ("RUNNING", "PAUSED", "FAILED")},
    desired={},
    errors=frozenset({"FAILED"}),
    recorded=False,
)


class Scripted(Provider):
    """A vendor that shows what it is told to show."""

    vocabulary = VOCABULARY
    logs = None

    def __init__(self, world: World) -> None:
        self._world = world

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:  # noqa: ARG002  (nothing depends on it)
        """Return what there is."""
        return Listing([self._world.look(one) for one in self._world.phases])

    async def health(self) -> Health | None:
        """Break, if it is told to."""
        if self._world.broken is not None:
            raise self._world.broken
        return None

    async def close(self) -> None:
        """Nothing is open."""


class World(Harness):
    """One source. A phase of None: the vendor could not be asked for it in this look."""

    def __init__(self, folder: Path, budget: float = 100_000.0) -> None:
        self.phases: dict[str, str | None] = {}
        self.records: dict[str, float] = {}
        self.target = "target"
        self.broken: Exception | None = None
        """Raised when the vendor is asked for its health."""
        self.budget = budget
        self._folder = folder
        self._now = START
        self._seen: dict[str, PipelineNow] = {}

    def clock(self) -> float:
        """Return the time in seconds."""
        return self._now

    def advance(self, seconds: float = 15.0) -> None:
        """Let time pass."""
        self._now += seconds

    async def start(self) -> None:
        """Start the exporter's part that polls, from what the journal holds."""
        self.journal = Journal(self._folder)
        await self.journal.open()
        context = Context("scripted", "prod", VOCABULARY, Words(VOCABULARY.facets))
        source = TrackedSource(context, self.target, self.journal, SourceSeries("scripted", "prod", 75.0))
        settings = Settings("prod", 15.0, 1800.0, lambda _name: True)
        self.poller = Poller(settings, Scripted(self), Budget(self.budget), source, self.clock, self.clock)
        await self.poller.restore()
        self._exposition = Exposition(self.clock)
        self._exposition.set_sources([source.series])

    def look(self, name: str) -> PipelineNow:
        """Return a pipeline as it is now; as it was, where it cannot be asked for."""
        phase = self.phases[name]
        counters = {"records": self.records[name]} if name in self.records else {}
        before = self._seen.get(name)
        if phase is None and before is not None:
            return replace(before, observed=None)
        at_ns = int(self._now * 1e9)
        event = Event(
            at_ns, at_ns.to_bytes(8, "big"), (phase,), wanted=True, running=False, settled=False, has_error=False
        )
        now = PipelineNow(
            id=name,
            name=name,
            version="",
            digest=(phase or "").encode(),
            words={"phase": phase},
            since_seconds={},
            desired={},
            state="running",
            in_desired_state=None,
            error_code=None,
            error_message="",
            wanted=True,
            changed_ns=0,
            created_ns=0,
            counters=counters,
            observed=None if phase is None else event,
        )
        self._seen[name] = now
        return now

    def total(self, name: str = "a") -> float | None:
        """Return the vendor's count of records as it is shown."""
        return self.samples("hosted_pipeline_records_total").get((name,))

    def seconds(self, status: str, name: str = "a") -> float:
        """Return the time in a status as it is shown."""
        return self.samples("hosted_pipeline_status_seconds_total")[name, "phase", status]


@asynccontextmanager
async def scripted(folder: Path, **keys: float) -> AsyncIterator[World]:
    """Poll a scripted vendor."""
    world = World(folder, **keys)
    await world.start()
    try:
        yield world
    finally:
        await world.stop()
