"""Lists of the simulated Apify: pages, filters, and what shifts under a reader."""

from __future__ import annotations

import pytest

from exporter.simulator.apify import lively_apify
from exporter.simulator.apify.identifiers import time_text
from tests.simulator.apify.asking import START_US, ask, data, ended, ids, world_with_actor

_RUNS = "/v2/actor-runs"


def test_pages_are_cut_as_asked_and_say_so() -> None:
    """A page has offset and limit as asked, the limit at most 1,000, and how many there are in all."""
    world, actor = world_with_actor()
    runs = [ended(actor.start_run(), 1).id for _ in range(5)]
    page = data(world, _RUNS, "offset=1&limit=2")
    far = data(world, _RUNS, "offset=9")

    assert runs[1:3] == [item["id"] for item in page.pop("items")]
    assert {"total": 5, "offset": 1, "limit": 2, "desc": False, "count": 2} == page
    assert {"total": 5, "offset": 9, "limit": 1000, "desc": False, "count": 0, "items": []} == far
    assert 1000 == data(world, _RUNS, "limit=5000")["limit"]


@pytest.mark.parametrize("desc", ["1", "true"])
def test_descending_pages_shift_when_jobs_start_and_ascending_ones_do_not(desc: str) -> None:
    """What stood on one descending page stands on the next when new jobs have started between two requests."""
    world, actor = world_with_actor()
    old = [actor.start_run().id for _ in range(4)]
    assert old[:1:-1] == ids(world, _RUNS, f"desc={desc}&limit=2")
    new = [actor.start_run().id for _ in range(2)]

    assert old[:1:-1] == ids(world, _RUNS, f"desc={desc}&limit=2&offset=2")
    assert new[::-1] == ids(world, _RUNS, f"desc={desc}&limit=2")
    assert old[2:] == ids(world, _RUNS, "limit=2&offset=2")


def test_runs_are_filtered_by_status_and_start() -> None:
    """Statuses are a comma list, and both ends of the time are inclusive; builds have no filter."""
    world, actor = world_with_actor()
    build = actor.start_build()
    first = ended(actor.start_run(), 10, "FAILED")
    second = ended(actor.start_run(), 10)
    third = actor.start_run()

    assert [first.id, third.id] == ids(world, _RUNS, "status=FAILED,RUNNING")
    assert [second.id] == ids(world, _RUNS, "status=SUCCEEDED")
    at = time_text(second.started_us)
    assert [second.id, third.id] == ids(world, _RUNS, f"startedAfter={at}")
    assert [first.id, second.id] == ids(world, _RUNS, f"startedBefore={at}")
    assert [second.id] == ids(world, f"/v2/actors/{actor.id}/runs", f"startedAfter={at}&startedBefore={at}")
    assert [build.id] == ids(world, "/v2/actor-builds", f"status=READY&startedAfter={at}")


def test_jobs_of_one_actor_are_found_by_its_id_its_name_and_the_deprecated_path() -> None:
    """An Actor is addressed by its id or as `username~name`, at `/v2/actors` and at `/v2/acts`."""
    world, actor = world_with_actor()
    run = actor.start_run()
    world.add_actor("other").start_run()
    paths = [f"/v2/actors/{actor.id}", "/v2/actors/janedoe~shop", "/v2/actors/janedoe%7Eshop", "/v2/acts/janedoe~shop"]

    assert [actor.id] * 4 == [data(world, path)["id"] for path in paths]
    assert [[run.id]] * 4 == [ids(world, f"{path}/runs") for path in paths]


def test_actors_that_are_used_and_not_owned_are_left_out_with_my() -> None:
    """The list holds what the user owns or uses, with `my` only the former; it can be sorted by the last run."""
    world, actor = world_with_actor()
    foreign = world.add_actor("store", username="other")
    newest = world.add_actor("newest")
    actor.start_run()

    assert [actor.id, foreign.id, newest.id] == ids(world, "/v2/actors")
    assert [actor.id, newest.id] == ids(world, "/v2/actors", "my=1")
    assert [actor.id] == ids(world, "/v2/actors", "my=true&sortBy=stats.lastRunStartedAt&desc=1&limit=1")


def test_a_new_job_is_unknown_at_first_and_listed_later_still() -> None:
    """Its own path and its log are 404 for the first seconds, and lists show it some seconds late, at its start."""
    world, actor = world_with_actor()
    late = actor.start_run(unseen_seconds=2, unlisted_seconds=6)
    world.advance(1)
    prompt = actor.start_run()
    paths = [f"{_RUNS}/{late.id}", f"{_RUNS}/{late.id}/log", f"/v2/logs/{late.id}"]
    api = world.api(None)

    assert [404] * 3 == [api.answer("GET", path).status for path in paths]
    world.advance(1)
    assert [200] * 3 == [api.answer("GET", path).status for path in paths]
    assert [prompt.id] == ids(world, _RUNS)
    world.advance(4)
    assert [late.id, prompt.id] == ids(world, _RUNS)


def test_deleted_jobs_are_gone_everywhere() -> None:
    """A deleted job leaves lists, its path and its log, and the pages behind it move up."""
    world, actor = world_with_actor()
    runs = [ended(actor.start_run(), 1) for _ in range(3)]
    runs[0].delete()

    assert [runs[2].id] == ids(world, _RUNS, "offset=1&limit=1")
    assert [404, 404] == [ask(world, path)[0] for path in (f"{_RUNS}/{runs[0].id}", f"/v2/logs/{runs[0].id}")]


def test_sparse_items_lack_what_is_optional() -> None:
    """A build's Actor, a run's build number and the end of a job that has none can be missing."""
    world, actor = world_with_actor(sparse=1.0)
    actor.start_build()
    actor.start_run()
    build = data(world, "/v2/actor-builds")["items"][0]
    run = data(world, _RUNS)["items"][0]

    assert {"id", "status", "startedAt", "buildNumber", "meta", "usageTotalUsd"} == set(build)
    assert {"actId", "buildId"} <= set(run)
    assert set() == {"buildNumber", "finishedAt", "userId"} & set(run)
    assert "janedoe~shop" == data(world, f"/v2/actor-builds/{build['id']}")["actId"]


def test_lives_depend_on_the_seed_alone() -> None:
    """The same seed gives the same jobs, however its clock is advanced, with every end and resurrections among them."""
    one, same, other = (lively_apify(8, seed=seed, now_us=START_US) for seed in (1, 1, 2))
    one.advance(900)
    for _ in range(90):
        same.advance(10)

    assert data(one, _RUNS, "desc=1") == data(same, _RUNS, "desc=1")
    assert ids(one, _RUNS) != ids(other, _RUNS)
    assert {"SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED"} <= {job.status for job in one.jobs("run")}
    assert any(job.resurrections for job in one.jobs("run"))
