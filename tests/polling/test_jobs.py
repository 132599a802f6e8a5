"""Runs and builds of Apify, from its API to what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator.apify import ApifyWorld
from tests.polling.apify_harness import SHOP, START_US, polling_apify

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_run_counts_when_it_ends(tmp_path: Path) -> None:
    """A run shows as active while it runs, and counts once when it has ended, with its duration."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        assert "success" == await harness.poll()
        run = shop.start_run()
        await harness.poll()
        assert ({("run", "RUNNING"): 1}, {}) == (harness.active(), harness.runs())
        harness.advance(20)
        run.finish()
        await harness.poll()
        await harness.poll()
        assert ({}, {"success": 1}) == (harness.active(), harness.runs())
        assert 35.0 == harness.total("hosted_pipeline_run_duration_seconds_sum")
        assert 0.0 == harness.samples("hosted_pipeline_runs_total")[SHOP, "build", "failure"]


async def test_figures_are_added_once_settled(tmp_path: Path) -> None:
    """Compute units and cost are the final ones, added once; the end is told as a span."""
    async with polling_apify(tmp_path) as harness:
        harness.apify.preliminary = 3.0
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        run = shop.start_run()
        harness.advance(30)
        run.finish("FAILED", compute_units=2.0, usd=0.5)
        await harness.poll(1)
        assert (0.0, []) == (harness.total("hosted_pipeline_compute_units_total"), harness.spans.ended)
        await harness.poll()
        await harness.restart()
        await harness.poll()
        found = harness.samples("hosted_pipeline_compute_units_total")
        assert (2.0, 0.5) == (found[SHOP, "run"], harness.total("hosted_pipeline_cost_usd_total"))
        (ended,) = harness.spans.ended
        assert (SHOP, "run", run.id, "failure", False) == (
            ended.pipeline,
            ended.kind,
            ended.id,
            ended.result,
            ended.resumed,
        )


async def test_what_had_ended_before_is_not_counted(tmp_path: Path) -> None:
    """Of the jobs that a source's first poll finds, those count that end later; the newest give the words."""
    world = ApifyWorld(now_us=START_US)
    shop = world.add_actor("shop")
    build = shop.start_build()
    world.advance(60)
    build.finish()
    before = shop.start_run()
    world.advance(60)
    before.finish("FAILED")
    during = shop.start_run()
    async with polling_apify(tmp_path, world) as harness:
        await harness.poll()
        assert {"run": "RUNNING", "build": "SUCCEEDED"} == harness.words()
        during.finish("TIMED-OUT")
        await harness.poll()
        await harness.poll()
        assert ({"timeout": 1}, {}) == (harness.runs(), harness.runs(kind="build"))
        assert ({"run": "TIMED-OUT", "build": "SUCCEEDED"}, ["failed"]) == (harness.words(), harness.state())


async def test_a_pipeline_that_appears_later_is_zero_first(tmp_path: Path) -> None:
    """An Actor that appears after the first poll shows zeros, and what ended by then in the next poll."""
    async with polling_apify(tmp_path) as harness:
        await harness.poll()
        run = harness.apify.add_actor("shop").start_run()
        harness.advance(5)
        run.finish()
        await harness.poll()
        assert (0.0, {}) == (harness.samples("hosted_pipeline_runs_total")[SHOP, "run", "success"], harness.runs())
        await harness.restart()
        await harness.poll()
        assert {"success": 1} == harness.runs()


async def test_an_actor_of_another_user_is_a_pipeline(tmp_path: Path) -> None:
    """A run of an Actor that the user does not own shows that Actor, under its owner's name, also after a restart."""
    async with polling_apify(tmp_path) as harness:
        await harness.poll()
        other = harness.apify.add_actor("crawler", username="compass")
        run = other.start_run()
        await harness.poll()
        assert {("run", "RUNNING"): 1} == harness.active("compass/crawler")
        run.finish()
        await harness.restart()
        await harness.poll()
        await harness.poll()
        assert {"success": 1} == harness.runs("compass/crawler")
        harness.apify.find_actor("compass~crawler")
        other.delete()
        await harness.restart()
        await harness.poll()
        assert {} == harness.words("compass/crawler")


async def test_runs_of_a_downtime_are_counted(tmp_path: Path) -> None:
    """Runs that began and ended while the exporter was down are counted after it, each once."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        long = shop.start_run()
        await harness.poll()
        await harness.stop()
        for number in range(30):
            run = shop.start_run()
            harness.advance(600)
            run.finish("FAILED" if number % 3 == 0 else "SUCCEEDED")
        long.abort()
        await harness.start()
        await harness.poll()
        await harness.poll()
        assert {"failure": 10, "success": 20, "cancellation": 1} == harness.runs()


@pytest.mark.parametrize("seen", [True, False], ids=["seen running", "between two polls"])
async def test_a_resurrected_run_counts_again(tmp_path: Path, seen: bool) -> None:
    """A run that is resurrected counts again when it ends, and adds what came on top."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        run = shop.start_run()
        run.finish("FAILED", compute_units=1.0)
        await harness.poll()
        await harness.poll()
        run.resurrect()
        if seen:
            await harness.poll()
            assert {("run", "RUNNING"): 1} == harness.active()
        harness.advance(5)
        run.finish("SUCCEEDED", compute_units=0.5)
        await harness.poll()
        await harness.poll()
        assert {"failure": 1, "success": 1} == harness.runs()
        assert 1.5 == harness.total("hosted_pipeline_compute_units_total")
        assert [False, True] == [ended.resumed for ended in harness.spans.ended]


async def test_an_old_run_resurrected_while_down_is_found(tmp_path: Path) -> None:
    """A run of hours ago that was resurrected and ended while the exporter was down counts again."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        old = shop.start_run()
        old.finish("FAILED", compute_units=1.0)
        await harness.poll()
        for _ in range(20):
            run = shop.start_run()
            run.finish()
            await harness.poll(600)
        await harness.stop()
        old.resurrect()
        harness.advance(60)
        old.finish(compute_units=1.0)
        await harness.start()
        await harness.poll()
        assert {"failure": 1, "success": 21} == harness.runs()


async def test_only_what_came_on_top_of_the_time_before(tmp_path: Path) -> None:
    """A run that had ended before counting began and is resurrected adds none of what it had used."""
    world = ApifyWorld(now_us=START_US)
    run = world.add_actor("shop").start_run()
    world.advance(60)
    run.finish("FAILED", compute_units=5.0)
    async with polling_apify(tmp_path, world) as harness:
        await harness.poll()
        await harness.poll()
        run.resurrect()
        harness.advance(5)
        run.finish(compute_units=0.25)
        await harness.poll()
        await harness.poll()
        assert ({"success": 1}, 0.25) == (harness.runs(), harness.total("hosted_pipeline_compute_units_total"))


async def test_a_failed_page_removes_nothing(tmp_path: Path) -> None:
    """Whichever request fails, no series goes away, and what it would have shown is counted later."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        for path in ("/v2/actors", "/v2/actor-runs", "/v2/actor-builds", "/v2/users/me/limits", "/v2/actor-runs/*"):
            run = shop.start_run()
            await harness.poll(700)
            run.finish()
            harness.fail(path, count=3)
            await harness.poll()
            assert ["run"] == list(harness.words())
            harness.server.faults.clear()
        for _ in range(3):
            await harness.poll()
        assert {"success": 5} == harness.runs()
        assert 5 == len(harness.spans.ended)


async def test_a_deleted_job_is_no_error(tmp_path: Path) -> None:
    """A job that is deleted before its figures are read is told without them; polls go on with success."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        first, second = shop.start_run(), shop.start_run()
        await harness.poll()
        first.finish(compute_units=1.0)
        await harness.poll(1)
        first.delete()
        second.finish()
        second.delete()
        assert ["success"] * 3 == [await harness.poll() for _ in range(3)]
        assert ({"success": 1}, {}, 1) == (harness.runs(), harness.active(), len(harness.spans.ended))


async def test_jobs_that_show_late_are_counted(tmp_path: Path) -> None:
    """A job that lists show only after some seconds, and newer ones before, counts."""
    async with polling_apify(tmp_path) as harness:
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        late = shop.start_run(unlisted_seconds=100)
        harness.advance(1)
        newer = shop.start_run()
        await harness.poll()
        late.finish()
        newer.finish("FAILED")
        for _ in range(10):
            await harness.poll()
        assert {"success": 1, "failure": 1} == harness.runs()


async def test_builds_without_their_actor_are_asked(tmp_path: Path) -> None:
    """A build whose item in the list does not say whose it is, is asked for itself."""
    async with polling_apify(tmp_path, ApifyWorld(now_us=START_US, sparse=1.0)) as harness:
        shop = harness.apify.add_actor("shop")
        await harness.poll()
        builds = [shop.start_build() for _ in range(3)]
        for build in builds:
            build.finish("FAILED")
        await harness.poll()
        await harness.poll()
        assert {"failure": 3} == harness.runs(kind="build")
        assert ({"build": "FAILED"}, ["failed"]) == (harness.words(), harness.state())


async def test_unselected_pipelines_are_left_out(tmp_path: Path) -> None:
    """Jobs of pipelines that the user does not want count nowhere, and are not asked for."""
    async with polling_apify(tmp_path, exclude=["janedoe/noise"]) as harness:
        noise, shop = harness.apify.add_actor("noise"), harness.apify.add_actor("shop")
        await harness.poll()
        runs = [noise.start_run(), shop.start_run()]
        await harness.poll()
        for run in runs:
            run.finish()
        await harness.poll()
        await harness.poll()
        assert {SHOP} == {labels[0] for labels in harness.samples("hosted_pipeline_runs_total")}
        assert ({"success": 1}, 1) == (harness.runs(), len(harness.spans.ended))


async def test_account_limits_are_shown(tmp_path: Path) -> None:
    """Limits and usage of the account show under the same resources."""
    async with polling_apify(tmp_path) as harness:
        harness.apify.add_actor("shop").start_run()
        await harness.poll()
        used, limits = (harness.samples(f"hosted_pipeline_account_{name}") for name in ("usage", "limit"))
        assert (300, 256) == (limits["monthly_usage_usd",], limits["active_actor_job_count",])
        assert 1 == used["active_actor_job_count",]
        assert limits.keys() - {("data_retention_days",)} == used.keys()


async def test_transitions_are_those_of_the_newest_job(tmp_path: Path) -> None:
    """Words of the newest run and build are entered as they are seen; those of before counting began are not counted."""
    world = ApifyWorld(now_us=START_US)
    shop = world.add_actor("shop")
    build = shop.start_build()
    build.finish()
    async with polling_apify(tmp_path, world) as harness:
        await harness.poll()
        run = shop.start_run(ready=True)
        await harness.poll()
        run.become("RUNNING")
        await harness.poll()
        run.finish("FAILED")
        await harness.poll()
        await harness.restart()
        await harness.poll()
        run.resurrect()
        await harness.poll()
        run.finish()
        await harness.poll()
        assert {
            ("run", "READY"): 1,
            ("run", "RUNNING"): 2,
            ("run", "FAILED"): 1,
            ("run", "SUCCEEDED"): 1,
        } == harness.transitions(SHOP)


async def test_a_quiet_cycle_is_few_requests(tmp_path: Path) -> None:
    """A cycle in which nothing happens asks for each list once."""
    async with polling_apify(tmp_path) as harness:
        for number in range(20):
            harness.apify.add_actor(f"shop{number}").start_run().finish()
        await harness.poll()
        await harness.poll()
        harness.advance(3600)
        await harness.poll()
        before = harness.codes.total()
        await harness.poll()
        assert harness.codes.total() - before <= 6
