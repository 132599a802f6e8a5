"""A day of an account, by a script: what is counted is what happened, whatever shifts, goes away or starts again."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.apify import ApifyWorld, query
from tests.polling.apify_harness import START_US, polling_apify

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.apify import Actor, Job
    from tests.polling.apify_harness import ApifyHarness

RUNS = 5_000
PATHS = ["/v2/actors", "/v2/actor-runs", "/v2/actor-builds", "/v2/actor-runs/*", "/v2/actors/*", "/v2/*"]
FAULTS = ["server_error", "garbage", "html", "truncated", "empty", "cut_before", "cut_middle"]
ENDS = {"SUCCEEDED": "success", "FAILED": "failure", "TIMED-OUT": "timeout", "ABORTED": "cancellation", "LOST": "lost"}


class Day:
    """What happens, and what the totals are to be."""

    def __init__(self, world: ApifyWorld, seed: int) -> None:
        self.world = world
        self.random = random.Random(seed)
        names = [(f"shop{number}", None) for number in range(6)] + [("crawler", "compass"), ("maps", "compass")]
        self.actors: list[Actor] = [world.add_actor(name, username=owner) for name, owner in names]
        self.running: list[Job] = []
        self.ended: list[Job] = []
        """Runs that have ended and been seen so: the vendor shows no end that a newer one followed unseen."""
        self.unseen: list[Job] = []
        self.expected: Counter[tuple[str, str, str]] = Counter()
        self.units: Counter[Job] = Counter()
        self.started = self.resurrected = self.deleted = 0

    def run(self, seconds: float) -> None:
        """Let time pass, and things happen in it."""
        for _ in range(int(seconds / 15)):
            self.world.advance(15)
            self.happen()

    def happen(self) -> None:
        """Start, end, resurrect and delete some jobs."""
        for _ in range(self.random.randrange(3)):
            actor = self.random.choice(self.actors)
            if self.random.random() < 0.03 and actor.username == "janedoe":
                self.running.append(actor.start_build(unlisted_seconds=self.random.choice([0, 40])))
            else:
                self.running.append(actor.start_run(unlisted_seconds=self.random.choice([0, 0, 0, 40])))
                self.started += 1
        while self.running and self.random.random() < 0.55:
            self.end(self.running.pop(self.random.randrange(len(self.running))))
        if self.ended and self.random.random() < 0.05:
            job = self.ended.pop(self.random.randrange(len(self.ended)))
            job.resurrect()
            self.resurrected += 1
            self.running.append(job)
        while len(self.ended) > 300 and self.random.random() < 0.5:
            self.ended.pop(self.random.randrange(50)).delete()
            self.deleted += 1

    def end(self, job: Job) -> None:
        """Let a job end in one way or another."""
        status = self.random.choice([*ENDS, "SUCCEEDED", "SUCCEEDED"])
        units = self.random.randrange(100) / 100
        job.finish(status, compute_units=units)
        self.units[job] += units  # type: ignore[assignment]
        self.expected[job.actor.full_name, job.kind, ENDS[status]] += 1
        if job.kind == "run" and status != "LOST" and not job.resurrections:
            self.unseen.append(job)

    def to_be_seen(self) -> list[Job]:
        """Return the runs whose end the next look is bound to see."""
        return [job for job in self.unseen if job.listed]

    def looked(self, seen: list[Job]) -> None:
        """Note that runs were seen to have ended: they may be resurrected, once, or deleted.

        The vendor shows no end that was followed by another before anybody looked.
        """
        self.ended += seen
        self.unseen = [job for job in self.unseen if job not in seen]


def shifting(harness: ApifyHarness, day: Day) -> None:
    """Let things happen between the pages of a look, too."""
    api = harness.poller.provider._api  # type: ignore[attr-defined]
    page = api.page

    async def shifted(*args: object, **options: object) -> object:
        found = await page(*args, **options)
        if day.random.random() < 0.3:
            day.world.advance(0.5)
            day.happen()
        return found

    api.page = shifted


def counted(harness: ApifyHarness) -> dict[tuple[str, str, str], int]:
    """Return all ends that are shown, without zeros."""
    found = harness.samples("hosted_pipeline_runs_total")
    return {labels: int(value) for labels, value in found.items() if value}  # type: ignore[misc]


async def live(harness: ApifyHarness, day: Day, runs: int, *, faults: float = 0.0) -> None:
    """Let so many runs happen, with looks and restarts in between, and all of them end."""
    shifting(harness, day)
    shown: dict[tuple[str, ...], float] = {}
    while day.started < runs:
        if day.random.random() < 0.02:
            await harness.stop()
            day.run(day.random.choice([15, 300, 3600]))
            await harness.start()
            shifting(harness, day)
        day.run(day.random.choice([120, 300, 600]))
        bound = day.to_be_seen()
        if day.random.random() < faults:
            harness.fail(day.random.choice(PATHS), day.random.choice(FAULTS))
        outcome = await harness.poll(0)
        harness.server.faults.clear()
        if outcome == "success":
            day.looked(bound)
        assert (outcome == "success") or faults
        if day.random.random() < 0.1:
            now = harness.samples("hosted_pipeline_compute_units_total")
            assert all(shown[labels] <= now.get(labels, 0.0) for labels in shown)
            shown = now
    for job in day.running:
        day.end(job)
    await harness.restart()
    for _ in range(40):
        await harness.poll(60)


def check(harness: ApifyHarness, day: Day) -> None:
    """Hold what is shown against the script."""
    units = harness.samples("hosted_pipeline_compute_units_total")
    assert dict(day.expected) == counted(harness)
    assert sum(day.units.values()) == pytest.approx(sum(units.values()))
    assert sum(day.expected.values()) == len(harness.spans.ended)


async def test_a_day_is_counted_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 runs with pages of 40 that shift, deletions, resurrections and restarts: totals equal the script."""
    monkeypatch.setattr(query, "_LARGEST_PAGE", 40)
    world = ApifyWorld(now_us=START_US)
    day = Day(world, seed=1)
    async with polling_apify(tmp_path, world) as harness:
        await harness.poll()
        await harness.poll()
        await live(harness, day, RUNS)
        check(harness, day)
        assert (True, True) == (day.resurrected > 50, day.deleted > 1000)


async def test_a_day_of_faults_is_counted_as_it_was(tmp_path: Path) -> None:
    """With answers that are errors, cut or garbage, all is counted in the end, once."""
    world = ApifyWorld(now_us=START_US)
    day = Day(world, seed=2)
    async with polling_apify(tmp_path, world) as harness:
        await harness.poll()
        await harness.poll()
        await live(harness, day, 600, faults=0.5)
        check(harness, day)
