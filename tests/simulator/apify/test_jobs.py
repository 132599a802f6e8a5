"""What becomes of simulated jobs: ends, figures that settle, resurrections, waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import ImpossibleError
from tests.simulator.apify.asking import ask, data, ended, world_with_actor

if TYPE_CHECKING:
    from exporter.simulator.apify import Job


def _of(job: Job) -> Any:
    return data(job.world, f"/v2/actor-{job.kind}s/{job.id}")


def _figures(job: Job) -> tuple[float, float]:
    document = _of(job)
    return document["stats"]["computeUnits"], document["usageTotalUsd"]


def test_a_run_goes_through_its_statuses() -> None:
    """It is READY, RUNNING, and then ended with an exit code, each as the documents say."""
    _, actor = world_with_actor()
    run = actor.start_run(ready=True)
    statuses = [_of(run)["status"]]
    run.become("RUNNING")
    statuses.append(_of(run)["status"])
    run.world.advance(60)
    run.finish("FAILED")
    document = _of(run)

    assert ["READY", "RUNNING", "FAILED"] == [*statuses, document["status"]]
    assert (1, 60.0, 60_000) == (
        document["exitCode"],
        document["stats"]["runTimeSecs"],
        document["stats"]["durationMillis"],
    )
    assert ("2026-09-21T14:13:20.000Z", "2026-09-21T14:14:20.000Z") == (document["startedAt"], document["finishedAt"])


def test_a_time_out_and_an_abort_take_their_time() -> None:
    """TIMING-OUT and ABORTING last as long as asked, and an end that comes first counts."""
    world, actor = world_with_actor()
    timed_out, aborted, early = (actor.start_run() for _ in range(3))
    timed_out.time_out(3)
    aborted.abort(3)
    early.abort(3)
    early.finish("SUCCEEDED")

    assert ["TIMING-OUT", "ABORTING", "SUCCEEDED"] == [job.status for job in (timed_out, aborted, early)]
    world.advance(3)
    assert ["TIMED-OUT", "ABORTED", "SUCCEEDED"] == [job.status for job in (timed_out, aborted, early)]


def test_figures_are_preliminary_until_ten_seconds_after_the_end() -> None:
    """Compute units and cost are too low at the end, in the document and in lists, and final ten seconds later."""
    world, actor = world_with_actor()
    run = actor.start_run()
    world.advance(3600)
    run.finish(compute_units=2.0, usd=0.5)
    world.advance(9.9)

    assert (1.2, 0.3) == _figures(run)
    assert [0.3] == [item["usageTotalUsd"] for item in data(world, "/v2/actor-runs")["items"]]
    world.advance(0.1)
    assert (2.0, 0.5) == _figures(run)
    assert [0.5] == [item["usageTotalUsd"] for item in data(world, "/v2/actor-runs")["items"]]


def test_a_run_of_one_gigabyte_for_an_hour_is_one_compute_unit() -> None:
    """Without figures given, they follow from memory and time."""
    _, actor = world_with_actor()
    build = ended(actor.start_build(), 1800)

    assert (0.5, 0.15) == _figures(build)


def test_a_resurrected_run_keeps_its_start_and_its_cost_goes_on() -> None:
    """It runs without an end, and ends again with the cost of both lives; the second settles by itself."""
    world, actor = world_with_actor()
    run = ended(actor.start_run(), 60, "FAILED", compute_units=1.0, usd=0.25)
    first = _of(run)
    run.resurrect()
    again = _of(run)

    assert (first["startedAt"], None, "RUNNING", None, 1) == (
        again["startedAt"],
        again["finishedAt"],
        again["status"],
        again["exitCode"],
        again["stats"]["resurrectCount"],
    )
    assert (1.0, 0.25) == _figures(run)
    world.advance(30)
    run.finish(compute_units=1.0, usd=0.5)
    assert (1.6, 0.55) == _figures(run)
    world.advance(10)
    assert (2.0, 0.75) == _figures(run)
    assert 90.0 == _of(run)["stats"]["runTimeSecs"]
    assert first["finishedAt"] < _of(run)["finishedAt"]


def test_a_run_that_is_resurrected_before_it_settled_does_not_settle_early() -> None:
    """The first end's ten seconds say nothing of the second end."""
    world, actor = world_with_actor()
    run = actor.start_run()
    run.finish("FAILED", compute_units=1.0, usd=0.0)
    world.advance(4)
    run.resurrect()
    world.advance(1)
    run.finish(compute_units=1.0, usd=0.0)
    world.advance(6)

    assert 1.6 == _figures(run)[0]
    world.advance(4)
    assert 2.0 == _figures(run)[0]


def test_what_cannot_be_is_refused() -> None:
    """A job ends once, only runs that have ended are resurrected, only jobs that have ended are deleted."""
    world, actor = world_with_actor()
    run, build = actor.start_run(), ended(actor.start_build())
    for impossible in (run.resurrect, run.delete, build.resurrect, build.finish, build.abort):
        with pytest.raises(ImpossibleError):
            impossible()
    with pytest.raises(ImpossibleError, match="there is an Actor janedoe/shop already"):
        world.add_actor("shop")


def test_ends_that_no_one_expects() -> None:
    """A job can end with a word that no one knows, and an end can lack its time."""
    _, actor = world_with_actor()
    odd, hidden = actor.start_run(), actor.start_run()
    odd.finish("EVAPORATED")
    hidden.hides_end = True
    hidden.finish("SUCCEEDED")

    assert [("EVAPORATED", "2026-09-21T14:13:20.000Z"), ("SUCCEEDED", None)] == [
        (_of(job)["status"], _of(job)["finishedAt"]) for job in (odd, hidden)
    ]


def test_waiting_ends_with_the_job_or_with_the_time() -> None:
    """`waitForFinish` is answered when the job ends, or after so many seconds, at most 60, with what is then."""
    world, actor = world_with_actor()
    run = actor.start_run()
    api = world.api(None)
    path = f"/v2/actor-runs/{run.id}"
    short, long = (api.answer("GET", path, f"waitForFinish={seconds}").later for seconds in (5, 999))
    assert short is not None
    assert long is not None
    assert (False, False) == (short.over, long.over)
    world.advance(5)
    assert (True, False) == (short.over, long.over)
    assert b'"status":"RUNNING"' in short.make().body.raw
    run.finish()

    assert long.over
    assert b'"status":"SUCCEEDED"' in long.make().body.raw
    assert None is api.answer("GET", path, "waitForFinish=60").later
    longest = api.answer("GET", f"/v2/actor-runs/{actor.start_run().id}", "waitForFinish=999").later
    world.advance(60)
    assert longest is not None
    assert longest.over


def test_usage_of_the_month_is_what_its_ended_jobs_used() -> None:
    """Limits and usage add up what has ended, by day and month, and count what is active."""
    world, actor = world_with_actor()
    ended(actor.start_run(), 60, compute_units=2.0, usd=0.5)
    world.advance(86_400)
    ended(actor.start_run(), 60, compute_units=1.0, usd=0.25).delete()
    actor.start_run()
    actor.start_build(ready=True)
    current = data(world, "/v2/users/me/limits")["current"]
    usage = data(world, "/v2/users/me/usage/monthly")

    assert (0.75, 3.0, 2, 1) == tuple(
        current[key] for key in ("monthlyUsageUsd", "monthlyActorComputeUnits", "activeActorJobCount", "actorCount")
    )
    assert (0.75, [0.5, 0.25]) == (
        usage["totalUsageCreditsUsdAfterVolumeDiscount"],
        [day["totalUsageCreditsUsd"] for day in usage["dailyServiceUsages"]],
    )
    other = data(world, "/v2/users/me/usage/monthly", "date=2026-02-03")
    assert ({"startAt": "2026-02-01T00:00:00.000Z", "endAt": "2026-02-28T23:59:59.999Z"}, []) == (
        other["usageCycle"],
        other["dailyServiceUsages"],
    )


def test_a_token_is_asked_for_where_one_is_set() -> None:
    """It is taken as Bearer or in the query; another, or none, is 401, and so is every path."""
    world, _ = world_with_actor()
    found = [
        ask(world, "/v2/actors", api_key="t", authorization="Bearer t"),
        ask(world, "/v2/actors", "token=t", api_key="t"),
        ask(world, "/v2/actors", api_key="t"),
        ask(world, "/v2/nothing", api_key="t", authorization="Bearer u"),
    ]

    assert [200, 200, 401, 401] == [status for status, _ in found]
    assert ["token-not-provided", "invalid-token"] == [document["error"]["type"] for _, document in found[2:]]


def test_an_id_alone_opens_a_job_where_anyone_with_it_may_read() -> None:
    """Then a run and its log need no token, and its cost is hidden; lists still need one."""
    world, actor = world_with_actor()
    world.anyone_with_id = True
    run = actor.start_run()
    run.log("readable")
    status, document = ask(world, f"/v2/actor-runs/{run.id}", api_key="t")
    log = world.api("t").answer("GET", f"/v2/logs/{run.id}")

    assert (200, False, "ANYONE_WITH_ID_CAN_READ") == (
        status,
        "usageTotalUsd" in document["data"],
        document["data"]["generalAccess"],
    )
    assert (200, b"2026-09-21T14:13:20.000Z readable\n") == (log.status, log.body.raw)
    assert 401 == ask(world, "/v2/actor-runs", api_key="t")[0]


def test_only_get_is_allowed() -> None:
    """Everything else is 405, as this simulator changes nothing for a client."""
    world, _ = world_with_actor()
    assert [405, 405] == [world.api(None).answer(method, "/v2/actors").status for method in ("POST", "DELETE")]


def test_a_resource_takes_so_many_requests_a_second() -> None:
    """One more is 429, where set with a Retry-After, until a second has passed; other resources are not concerned."""
    world, actor = world_with_actor(rate_limit=2)
    run = actor.start_run()
    api = world.api(None)
    run_path = f"/v2/actor-runs/{run.id}"
    found = [api.answer("GET", path).status for path in (run_path, f"{run_path}/log", run_path, "/v2/actor-runs")]
    world.retry_after_seconds = 3
    refused = api.answer("GET", run_path)
    world.advance(1)

    assert [200, 200, 429, 200] == found
    assert (429, "3") == (refused.status, refused.headers["retry-after"])
    assert 200 == api.answer("GET", run_path).status
