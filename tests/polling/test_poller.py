"""What the poller asks for, counts and shows, against a simulated server."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from exporter.journal import Journal, JournalError, LogCommit, StatusBatch
from exporter.polling.tracked import TrackedSource
from exporter.simulator import World, quiet
from exporter.status.exposition import SourceSeries
from exporter.status.model import Listing
from tests.polling.harness import polling

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator import Pipeline


async def test_first_history_is_read_and_not_counted(tmp_path: Path) -> None:
    """What pipelines of the first list have behind them shows in times, not in counts."""
    world = World(chores=False)
    world.create("orders").start()
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        assert "success" == await prod.poll()
        assert {} == prod.transitions("orders")
        assert {0.0} == set(prod.samples("hosted_pipeline_events_total").values())
        assert 1 == len(prod.samples("hosted_pipeline_last_event_timestamp_seconds"))
        assert 1 == prod.samples("hosted_pipeline_state")["orders", "running"]


async def test_quiet_pipelines_cost_two_requests(tmp_path: Path) -> None:
    """A cycle in which nothing changed asks for the list and the cluster's health."""
    async with polling(tmp_path, quiet(200), sweep="24h") as prod:
        await prod.poll()
        before = prod.server.counts.copy()
        await prod.poll()
        assert {"/v0/pipelines": 1, "/v0/cluster_healthz": 1} == dict(prod.server.counts - before)


async def test_change_is_read_at_once_and_a_minute_later(tmp_path: Path) -> None:
    """Only a changed pipeline has its events read, and once more for late ones."""
    world = World(chores=False)
    orders, _ = world.create("orders"), world.create("users")
    world.advance(60)
    async with polling(tmp_path, world, sweep="24h") as prod:
        await prod.poll()
        orders.edit()
        world.advance(60)
        prod.server.counts.clear()
        await prod.poll()
        assert 1 == prod.server.counts["/v0/pipelines/orders/events"]
        await prod.poll(30)
        assert 1 == prod.server.counts["/v0/pipelines/orders/events"]
        await prod.poll(31)
        await prod.poll(60)
        assert (2, 0) == (
            prod.server.counts["/v0/pipelines/orders/events"],
            prod.server.counts["/v0/pipelines/users/events"],
        )


async def test_description_is_no_change(tmp_path: Path) -> None:
    """A description is no reason to read events."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world, sweep="24h") as prod:
        await prod.poll()
        orders.describe("new")
        prod.server.counts.clear()
        await prod.poll()
        assert 0 == prod.server.counts["/v0/pipelines/orders/events"]


async def test_new_pipeline_shows_zeros_first(tmp_path: Path) -> None:
    """A pipeline that appears later shows zeros in the poll that finds it and its counts in the next."""
    async with polling(tmp_path) as prod:
        await prod.poll()
        prod.world.create("orders")
        await prod.poll(10)
        assert (True, {}) == (("orders",) in prod.samples("hosted_pipeline_events_total"), prod.transitions("orders"))
        await prod.poll()
        assert 1 == prod.transitions("orders")["program", "Success"]
        assert prod.samples("hosted_pipeline_events_total")[("orders",)] > 3


async def test_pipeline_made_while_down_counts_from_its_first_event(tmp_path: Path) -> None:
    """A pipeline made while the exporter was down counts all that it went through."""
    async with polling(tmp_path) as prod:
        await prod.poll()
        await prod.stop()
        prod.world.create("orders").start()
        prod.advance(60)
        await prod.start()
        await prod.poll()
        await prod.poll()
        assert (1, 1) == (
            prod.transitions("orders")["runtime", "Running"],
            prod.transitions("orders")["program", "Pending"],
        )


async def test_counts_are_there_before_the_first_poll_after_a_restart(tmp_path: Path) -> None:
    """Counters come from the journal; `up` is 0 and what is now is absent until the first poll."""
    async with polling(tmp_path) as prod:
        await prod.poll()
        prod.world.create("orders")
        for _ in range(3):
            await prod.poll()
        before = prod.transitions("orders"), prod.samples("hosted_pipeline_status_seconds_total")
        await prod.restart()
        assert before == (prod.transitions("orders"), prod.samples("hosted_pipeline_status_seconds_total"))
        assert ({("orders",): 0.0}, {}) == (prod.samples("hosted_pipeline_up"), prod.samples("hosted_pipeline_state"))


async def test_deleted_pipeline_takes_its_series_along(tmp_path: Path) -> None:
    """A pipeline that the list no longer has is no longer shown."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        orders.delete()
        await prod.poll()
        assert {} == prod.samples("hosted_pipeline_up") | prod.samples("hosted_pipeline_events_total")


async def test_recreated_pipeline_starts_at_zero(tmp_path: Path) -> None:
    """A pipeline made again under its old name has counts of its own."""
    async with polling(tmp_path) as prod:
        await prod.poll()
        orders = prod.world.create("orders")
        for _ in range(3):
            await prod.poll()
        orders.edit()
        prod.advance(30)
        orders.recreate()
        await prod.poll()
        assert {} == prod.transitions("orders")
        await prod.poll()
        assert 1 == prod.transitions("orders")["program", "Success"]


async def test_rename_carries_the_counters(tmp_path: Path) -> None:
    """A renamed pipeline goes on counting under its new name, and the old one is gone."""
    async with polling(tmp_path) as prod:
        await prod.poll()
        orders = prod.world.create("orders")
        for _ in range(3):
            await prod.poll()
        orders.rename("bills")
        await prod.poll()
        assert ({}, 1) == (prod.transitions("orders"), prod.transitions("bills")["program", "Success"])


async def test_names_that_are_swapped_do_not_mix_histories(tmp_path: Path) -> None:
    """A name that belongs to another pipeline by the time its history is read gives nothing."""
    async with polling(tmp_path, sweep="24h") as prod:
        await prod.poll()
        orders, bills = prod.world.create("orders"), prod.world.create("bills")
        for _ in range(3):
            await prod.poll()
        before = prod.samples("hosted_pipeline_events_total")
        listing = await prod.poller.provider.list()
        orders.rename("x")
        bills.rename("orders")
        tracked = prod.poller.source.by_id[orders.id]
        now = next(now for now in listing.pipelines if now.id == orders.id)
        await prod.poller._histories._read_one(tracked, now, 1)  # type: ignore[arg-type]
        assert before["orders",] == tracked.pipeline.events


async def test_empty_list_by_mistake_does_not_reset(tmp_path: Path) -> None:
    """Pipelines that vanish and come back go on with their counts."""
    async with polling(tmp_path) as prod:
        await prod.poll()
        orders = prod.world.create("orders")
        for _ in range(3):
            await prod.poll()
        before = prod.transitions("orders")
        hidden = prod.world.pipelines.pop(orders.id)
        prod.world.revision += 1
        await prod.poll()
        assert {} == prod.transitions("orders")
        prod.world.pipelines[orders.id] = hidden
        prod.world.revision += 1
        await prod.restart()
        await prod.poll()
        await prod.poll()
        assert before == prod.transitions("orders")


async def test_failed_list_keeps_what_is_known_for_five_intervals(tmp_path: Path) -> None:
    """When a list fails `up` is 0 and the rest stays; after five intervals what is now goes and the counters stay."""
    world = World(chores=False)
    world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        prod.server.faults.next(100, "*", "database_down")
        assert "error" == await prod.poll()
        assert {("orders",): 0.0} == prod.samples("hosted_pipeline_up")
        assert {(): 0.0} == prod.samples("hosted_pipeline_source_up")
        assert {} != prod.samples("hosted_pipeline_state")
        await prod.poll(76)
        assert ({}, {}) == (
            prod.samples("hosted_pipeline_state"),
            prod.samples("hosted_pipeline_source_component_healthy"),
        )
        assert {} != prod.samples("hosted_pipeline_events_total")
        prod.server.faults.clear()
        assert "success" == await prod.poll()
        assert {("orders",): 1.0} == prod.samples("hosted_pipeline_up")


async def test_history_that_fails_is_read_later(tmp_path: Path) -> None:
    """A history that cannot be read is the pipeline's failure; it is counted when it can be read."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        orders.start()
        world.advance(30)
        prod.server.faults.next(1, "/v0/pipelines/orders/events", "garbage")
        assert "error" == await prod.poll()
        assert ({("orders",): 0.0}, {(): 1.0}) == (
            prod.samples("hosted_pipeline_up"),
            prod.samples("hosted_pipeline_source_up"),
        )
        assert "success" == await prod.poll()
        assert 1 == prod.transitions("orders")["runtime", "Running"]
        assert {("orders",): 1.0} == prod.samples("hosted_pipeline_up")


async def test_malformed_entries_remove_no_series(tmp_path: Path) -> None:
    """While entries of the list cannot be read, a missing pipeline is not taken for a deleted one."""
    world = World(chores=False)
    world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        listing = await prod.poller.provider.list()
        broken = type(listing)((), malformed=1, unidentified=1)
        prod.poller._problems.clear()
        await prod.poller._take_list(broken, prod.clock(), first_list=False)
        assert ("error", {("orders",): 0.0}) == (prod.poller._outcome(), prod.samples("hosted_pipeline_up"))


async def test_retention_gap_is_counted(tmp_path: Path) -> None:
    """Events that were dropped before they could be read count as one gap."""
    world = World(chores=False, retention=5)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        for _ in range(20):
            orders.heartbeat()
            world.advance(1)
        orders.edit()
        world.advance(30)
        world.trim()
        await prod.poll()
        await prod.poll()
        assert {("orders",): 1.0} == prod.samples("hosted_pipeline_events_missed_total")


async def test_unselected_pipelines_are_not_asked_for(tmp_path: Path) -> None:
    """Pipelines that the configuration excludes have neither series nor requests."""
    world = World(chores=False)
    world.create("orders")
    world.create("secret")
    world.advance(60)
    async with polling(tmp_path, world, exclude=["sec.*"]) as prod:
        await prod.poll()
        assert (["orders"], 0) == (
            [labels[0] for labels in prod.samples("hosted_pipeline_up")],
            prod.server.counts["/v0/pipelines/secret/events"],
        )


async def test_wider_selection_counts_from_now_on(tmp_path: Path) -> None:
    """Pipelines that a new configuration selects have a history that is not counted."""
    world = World(chores=False)
    world.create("orders")
    world.create("users")
    world.advance(60)
    async with polling(tmp_path, world, include=["orders"]) as prod:
        await prod.poll()
        prod._keys["include"] = []
        await prod.restart()
        for _ in range(3):
            await prod.poll()
        assert ({}, 2) == (prod.transitions("users"), len(prod.samples("hosted_pipeline_up")))


async def test_sweep_reads_every_pipeline_once(tmp_path: Path) -> None:
    """Over one sweep each unchanged pipeline has its events read once, evenly."""
    async with polling(tmp_path, quiet(40), sweep="10m") as prod:
        await prod.poll()
        prod.server.counts.clear()
        perpoll = []
        for _ in range(40):
            before = sum(prod.server.counts.values())
            await prod.poll()
            perpoll.append(sum(prod.server.counts.values()) - before - 2)
        reads = Counter({path: count for path, count in prod.server.counts.items() if path.endswith("/events")})
        assert ({1}, 40, 1) == (set(reads.values()), len(reads), max(perpoll))


def script(rng: random.Random, count: int) -> list[dict[str, Any]]:
    """Make a script of events: the words of each."""
    steps: list[dict[str, Any]] = []
    for _ in range(count):
        runtime = rng.choice([None, "Initializing", "Running", "Paused", "Unavailable", "FutureWord"])
        resources = rng.choice(["Stopped", "Provisioning", "Provisioned", "Stopping"])
        steps.append({"resources": resources, "runtime": runtime, "program": rng.choice(["Success", "Pending"])})
    return steps


def expected(pipeline: Pipeline) -> dict[tuple[str, str], int]:
    """Count the entries of a pipeline's whole history the plain way."""
    counts: Counter[tuple[str, str]] = Counter()
    before = {"resources": None, "runtime": None, "program": None, "storage": None}
    for event in sorted(pipeline.history.events, key=lambda event: (event.recorded_us, event.event_id)):
        words = {facet: getattr(event.state, facet) for facet in before}
        counts.update((facet, word) for facet, word in words.items() if word is not None and word != before[facet])
        before = words
    return dict(counts)


async def test_scripted_history_is_counted_exactly(tmp_path: Path) -> None:
    """2,000 events over 50 pipelines, with restarts, late events and repeats, give exactly the script's counts."""
    rng = random.Random(1)
    world = World(chores=False)
    async with polling(tmp_path, world, sweep="3m") as prod:
        await prod.poll()
        pipelines = [world.create(f"p{number}", compile_as=None) for number in range(50)]
        scripts = [(pipeline, step) for pipeline in pipelines for step in script(rng, 39)]
        rng.shuffle(scripts)
        while scripts:
            for _ in range(min(len(scripts), rng.randint(50, 250))):
                pipeline, step = scripts.pop()
                late = rng.random() < 0.15
                world.advance(rng.uniform(0, 0.05))
                delay = rng.uniform(1, 45) if late else 0.0
                at = world.now_us - rng.choice([0, 1000, 2_000_000]) if late else None
                pipeline.record_event(recorded_us=at, appears_in_seconds=delay, **step)
            await prod.poll(rng.uniform(1, 15))
            if rng.random() < 0.3:
                await prod.restart()
        for _ in range(14):
            await prod.poll()
        assert 2000 == sum(len(pipeline.history.events) for pipeline in pipelines)
        assert {one.name: expected(one) for one in pipelines} == {
            one.name: prod.transitions(one.name) for one in pipelines
        }
        events = prod.samples("hosted_pipeline_events_total")
        assert {40.0} == set(events.values())
        assert {0.0} == set(prod.samples("hosted_pipeline_events_missed_total").values())


async def test_time_in_status_adds_up(tmp_path: Path) -> None:
    """Over all statuses of a facet the time is that from the baseline to the last list."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        began = prod.clock()
        orders.start()
        for _ in range(6):
            await prod.poll()
        total = sum(
            value
            for labels, value in prod.samples("hosted_pipeline_status_seconds_total").items()
            if labels[1] == "resources"
        )
        assert total == pytest.approx(prod.clock() - began, abs=0.001)


async def test_time_never_falls_at_any_scrape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrapes before, between and after the steps of a commit never see a counter fall."""
    world = World(chores=False)
    pipelines = [world.create(f"p{number}") for number in range(3)]
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        shown: dict[tuple[str, ...], float] = {}
        fell: list[tuple[str, ...]] = []

        def scrape() -> None:
            now = prod.samples("hosted_pipeline_status_seconds_total")
            fell.extend(key for key, value in shown.items() if now[key] < value)
            shown.update(now)

        show, replace = TrackedSource.show, SourceSeries.replace

        def slow_show(self: TrackedSource, *args: Any, **keys: Any) -> None:
            scrape()
            show(self, *args, **keys)
            scrape()

        def slow_replace(self: SourceSeries, *args: Any) -> None:
            scrape()
            replace(self, *args)
            scrape()

        await prod.poll()
        monkeypatch.setattr(TrackedSource, "show", slow_show)
        monkeypatch.setattr(SourceSeries, "replace", slow_replace)
        for number in range(12):
            for pipeline in pipelines:
                (pipeline.start if number % 2 else pipeline.stop)()
            await prod.poll()
        assert ([], True) == (fell, max(shown.values()) > 60)


async def test_first_commit_that_fails_does_not_hide_new_pipelines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counting starts with the first list, also when that could not be written."""
    async with polling(tmp_path) as prod:
        commit = Journal.commit

        async def full(_self: Journal, _batch: StatusBatch, _logs: LogCommit | None = None) -> None:
            raise JournalError("database or disk is full")

        monkeypatch.setattr(Journal, "commit", full)
        await prod.poll()
        prod.world.create("orders")
        await prod.poll()
        monkeypatch.setattr(Journal, "commit", commit)
        await prod.poll()
        await prod.poll()
        assert 1 == prod.transitions("orders")["program", "Success"]


async def test_changed_history_is_read_however_small_the_budget(tmp_path: Path) -> None:
    """A budget that list and health use up stretches the cycle rather than starve what changed."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world, budget="2/s", interval="10ms", sweep="24h") as prod:
        await prod.poll()
        orders.start()
        for _ in range(3):
            await prod.poll()
        assert 1 == prod.transitions("orders")["runtime", "Running"]


async def test_one_pipelines_retry_after_holds_only_that_pipeline(tmp_path: Path) -> None:
    """What the vendor asks of one pipeline's history does not keep the list from being read."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        orders.start()
        world.advance(30)
        prod.server.faults.next(1, "/v0/pipelines/orders/events", "unavailable")
        await prod.poll()
        assert (0.0, {("orders",): 0.0}) == (prod.poller.budget.held_seconds, prod.samples("hosted_pipeline_up"))
        await prod.poll()
        await prod.poll()
        assert 1 == prod.transitions("orders")["runtime", "Running"]


async def test_lasting_malformed_entry_does_not_keep_deleted_pipelines(tmp_path: Path) -> None:
    """A pipeline that five lists in a row leave out is gone, whatever else they hold."""
    world = World(chores=False)
    world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        broken = Listing((), malformed=1, unidentified=1)
        for _ in range(5):
            assert 1 == len(prod.samples("hosted_pipeline_up"))
            await prod.poller._take_list(broken, prod.clock(), first_list=False)
        assert {} == prod.samples("hosted_pipeline_up")


async def test_sweep_leaves_the_recheck_alone(tmp_path: Path) -> None:
    """A reading before the minute is over is not the one for late events."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world, sweep="15s") as prod:
        await prod.poll()
        orders.edit()
        await prod.poll()
        await prod.poll()
        assert orders.id in prod.poller._histories._recheck


async def test_long_gone_pipelines_are_forgotten(tmp_path: Path) -> None:
    """A pipeline that vanished a month ago takes no room any more, in memory or in the journal."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        orders.delete()
        await prod.poll()
        assert 1 == len(prod.poller.source.gone)
        await prod.poll(31 * 86400)
        assert ({}, []) == (prod.poller.source.gone, (await prod.journal.read_source("prod"))[1])


async def test_unwritable_journal_holds_counts_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the journal cannot be written what is now goes on and new counts are shown only once they are written."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        commit = Journal.commit

        async def full(_self: Journal, _batch: StatusBatch, _logs: LogCommit | None = None) -> None:
            raise JournalError("database or disk is full")

        monkeypatch.setattr(Journal, "commit", full)
        orders.start()
        world.advance(30)
        await prod.poll()
        assert ({}, 1.0) == (prod.transitions("orders"), prod.samples("hosted_pipeline_state")["orders", "running"])
        monkeypatch.setattr(Journal, "commit", commit)
        await prod.poll()
        assert 1 == prod.transitions("orders")["runtime", "Running"]


async def test_a_journal_begun_anew_gets_all_counts_again(tmp_path: Path) -> None:
    """After the journal was lost, counts are written from memory; a history that is lost with it counts from then on."""
    world = World(chores=False)
    orders = world.create("orders")
    world.advance(60)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        orders.start()
        world.advance(30)
        await prod.poll()
        before = prod.transitions("orders")
        assert prod.journal._db is not None
        for table in ("source", "pipeline", "history"):
            prod.journal._db.execute(f"DELETE FROM {table}")
        prod.journal.notice = "it was corrupt"
        prod.poller.source.write_again()
        await prod.poll()
        assert before == prod.transitions("orders")
        orders.stop()
        world.advance(30)
        await prod.poll()
        after = prod.transitions("orders")
        assert 1 == after["resources", "Stopped"]
        assert before["runtime", "Running"] == after["runtime", "Running"]
        await prod.restart()
        assert after == prod.transitions("orders")
