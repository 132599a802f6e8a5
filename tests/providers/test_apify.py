"""Apify's answers, good and bad, to what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.providers.apify._account import read_account
from exporter.providers.apify._api import Api, time_text
from exporter.providers.apify._discovery import LOOK_BACK_NS
from exporter.providers.apify._words import read_job
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, ProviderError, StatusError, UnauthorizedError
from exporter.providers.times import parse_rfc3339_ns
from exporter.status.jobs import Jobs
from exporter.status.model import Account, Known, Listing
from tests.providers.apify_answers import Asked, actor, apify, page, pages, run

if TYPE_CHECKING:
    from collections.abc import Callable

DAY = "2026-09-21T"
FAILURE = StatusError("/v2", "answered 500", status=500)


def times(count: int, step: int = 1) -> list[str]:
    """Return moments, so many seconds apart."""
    start = parse_rfc3339_ns(f"{DAY}10:00:00Z")
    return [time_text(start + number * step * 1_000_000_000) for number in range(count)]


class Looks:
    """Looks one after the other, with a ledger in between."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.provider, self.client = apify(table)
        self.ledger = Jobs()
        self.first = True

    async def look(self) -> Listing:
        """Look, and take in what is seen."""
        known = Known({"actor1": "jane/shop1"}, self.ledger.by_key, self.ledger.marks.newest_ns, first=self.first)
        listing = await self.provider.list(known)
        self.ledger.look(listing.jobs, first=self.first, at_seconds=0.0, reads_logs=True, shown=["actor1"])
        self.first = False
        return listing

    async def ids(self) -> set[str]:
        """Look, and return the ids of all jobs that are known."""
        await self.look()
        return {job.id for job in self.ledger.by_key.values()}


@pytest.mark.parametrize(
    ("status", "finished", "result"),
    [
        ("READY", None, ""),
        ("RUNNING", None, ""),
        ("SUCCEEDED", None, "success"),
        ("FAILED", "2026-09-21T10:00:00Z", "failure"),
        ("TIMED-OUT", "2026-09-21T10:00:00Z", "timeout"),
        ("ABORTED", "2026-09-21T10:00:00Z", "cancellation"),
        ("ABORTING", None, ""),
        ("Migrating", None, ""),
        ("MIGRATED", "2026-09-21T10:00:00Z", "migrated"),
    ],
)
def test_results(status: str, finished: str | None, result: str) -> None:
    """A job has ended with a known terminal status or a time of its end; unknown words are carried through."""
    job = read_job("run", run(1, status=status, finishedAt=finished))
    assert (status, result) == (job.status, job.result)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 7},
        {"id": ""},
        {"id": "a\nb"},
        {"status": None},
        {"status": 3},
        {"startedAt": "yesterday"},
        {"startedAt": 12},
        {"finishedAt": {}},
    ],
)
async def test_items_that_cannot_be_read_are_counted(fields: dict[str, Any]) -> None:
    """An item without what is needed is left out and counted; the others are taken."""
    provider, _ = apify({"/v2/actor-runs": page([run(1), run(2) | fields])})
    listing = await provider.list(Known())
    assert ({"run1"}, True) == ({job.id for job in listing.jobs}, listing.malformed > 0)


@pytest.mark.parametrize(
    ("fields", "figures"),
    [
        ({"stats": {"computeUnits": 0.5}, "usageTotalUsd": 1}, (0.5, 1.0)),
        ({"stats": {"computeUnits": "much"}, "usageTotalUsd": None}, (None, None)),
        ({"stats": [], "usageTotalUsd": -1}, (None, None)),
        ({"stats": {"computeUnits": True}, "usageTotalUsd": 1e400}, (None, None)),
    ],
)
def test_figures(fields: dict[str, Any], figures: tuple[float | None, float | None]) -> None:
    """Figures that are no numbers, negative or without end are none."""
    job = read_job("run", run(1) | fields)
    assert figures == (job.compute_units, job.cost_usd)


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_pages_of_any_size(limit: int) -> None:
    """All runs are found, however few a page has, also when many started in one moment."""
    starts = [*times(10), *times(1) * 12, *times(5, step=30)]
    looks = Looks({"/v2/actor-runs": pages([run(number, start) for number, start in enumerate(starts)], limit)})
    assert {f"run{number}" for number in range(27)} == await looks.ids()


async def test_a_first_look_reads_no_history() -> None:
    """The first look reads the newest page and ten minutes before the newest run, whatever there is."""
    starts = times(5000, step=60)
    looks = Looks({"/v2/actor-runs": pages([run(number, start) for number, start in enumerate(starts)], 100)})
    assert {f"run{number}" for number in range(4900, 5000)} == await looks.ids()
    assert looks.client.paths().count("/v2/actor-runs") <= 3


async def test_a_look_goes_back_ten_minutes() -> None:
    """Later looks ask from ten minutes before the newest run that was seen, by the vendor's clock."""
    looks = Looks({"/v2/actor-runs": pages([run(1)], 100)})
    await looks.look()
    looks.client.asked.clear()
    await looks.look()
    assert {"startedAfter": "2026-09-21T09:50:00.000Z", "limit": "1000"} == looks.client.asked[1][1]
    assert 600 * 10**9 == LOOK_BACK_NS


@pytest.mark.parametrize("path", ["/v2/actor-runs", "/v2/actor-builds"])
async def test_a_first_look_is_a_whole_one(path: str) -> None:
    """Counting does not begin with a look of which a part failed: what it does not show would be taken for new."""
    looks = Looks({path: FAILURE})
    with pytest.raises(StatusError):
        await looks.look()
    looks.client.table[path] = pages([run(1)], 10)
    listing = await looks.look()
    assert (None, {"run1"}) == (listing.problem, {job.id for job in listing.jobs})


async def test_lists_that_the_key_may_not_read_are_left_out() -> None:
    """A key that may not read builds is a problem of each look, and all else goes on."""
    forbidden = UnauthorizedError("/v2/actor-builds", "answered 403", status=403)
    looks = Looks({"/v2/actor-builds": forbidden, "/v2/actor-runs": pages([run(1)], 10)})
    listing = await looks.look()
    assert (forbidden, {"run1"}) == (listing.problem, {job.id for job in listing.jobs})


async def test_an_account_without_runs_is_read_from_the_beginning_later() -> None:
    """Where the first look found no run, all there are later are new."""
    items: list[dict[str, Any]] = []
    looks = Looks({"/v2/actor-runs": pages(items, 10)})
    await looks.look()
    items += [run(number, start) for number, start in enumerate(times(50, step=60))]
    assert {f"run{number}" for number in range(50)} == await looks.ids()


async def test_builds_are_read_down_to_what_is_known() -> None:
    """Builds have no filter: newest pages are read until ten minutes before the newest that was seen."""
    builds = [run(number, start) for number, start in enumerate(times(500, step=60))]
    looks = Looks({"/v2/actor-builds": pages(builds[:300], 50)})
    await looks.look()
    looks.client.table["/v2/actor-builds"] = pages(builds, 50)
    assert {f"run{number}" for number in range(285, 500)} <= await looks.ids()


async def test_builds_that_are_deleted_between_two_pages_hide_none() -> None:
    """Where a page shows nothing of the one before, something was deleted, and all is read again."""
    builds = [run(number, start) for number, start in enumerate(times(300))]
    asked = 0

    def shifting(params: dict[str, str]) -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked == 2:
            del builds[-40:-5]
        return pages(builds, 50)(params)

    looks = Looks({"/v2/actor-builds": shifting})
    assert {build["id"] for build in builds} <= await looks.ids()


async def test_lists_that_never_stand_still_are_a_problem() -> None:
    """A list whose pages never meet is given up, as a problem of the look."""
    number = 0

    def rushing(params: dict[str, str]) -> dict[str, Any]:
        nonlocal number
        number += 1
        return page(
            [run(number * 100 + one) for one in range(20)], limit=20, total=10_000, offset=int(params.get("offset", 0))
        )

    provider, _ = apify({"/v2/actor-builds": rushing})
    assert isinstance((await provider.list(Known(first=False))).problem, MalformedError)


@pytest.mark.parametrize("path", ["/v2/actors", "/v2/actor-runs", "/v2/actor-builds"])
async def test_a_server_that_knows_no_pages_ends(path: str) -> None:
    """A list that answers each page with the same items, and never with the last one, ends as a problem."""
    item = actor() if path == "/v2/actors" else run(1)
    provider, client = apify({path: page([item], limit=1, total=9)})
    assert isinstance((await provider.list(Known(first=False))).problem, MalformedError)
    assert client.paths().count(path) < 50


@pytest.mark.parametrize("step", [0, 60])
async def test_a_server_that_calls_the_size_of_a_page_its_limit_is_read(step: int) -> None:
    """A list whose every page is as long as its limit says ends where nothing new comes and its total is reached."""
    jobs = [run(number, start) for number, start in enumerate(times(30, step=step) if step else times(1) * 30)]

    def sized(items: list[dict[str, Any]]) -> Callable[[dict[str, str]], dict[str, Any]]:
        def answer(params: dict[str, str]) -> dict[str, Any]:
            wanted = [one for one in items if one.get("startedAt", "") >= params.get("startedAfter", "")]
            part = wanted[int(params.get("offset", 0)) :][: int(params["limit"])]
            return page(part, limit=len(part), total=len(wanted))

        return answer

    looks = Looks({"/v2/actor-runs": sized(jobs), "/v2/actor-builds": sized(jobs[::-1])})
    looks.client.table["/v2/actors"] = sized([actor(number) for number in range(1, 31)])
    listing = await looks.look()
    assert (None, 30, 60) == (listing.problem, len(listing.pipelines), len({job.key for job in listing.jobs}))


async def test_an_active_run_that_is_deleted_is_retired() -> None:
    """A run that was known to run, and is in no list and not found by itself, is retired; a young one is asked twice."""
    items = [
        run(1, status="RUNNING", finishedAt=None),
        run(2, f"{DAY}12:00:00.000Z", status="RUNNING", finishedAt=None),
    ]
    looks = Looks({"/v2/actor-runs": pages(items, 10)})
    await looks.look()
    items.clear()
    assert ["run:run1"] == (await looks.look()).retired
    assert ["run:run2"] == [key for key in (await looks.look()).retired if key != "run:run1"]


async def test_many_missing_runs_are_read_by_the_page() -> None:
    """Runs that were known to run and ended while nobody looked are not asked for one by one."""
    items = [run(number, start, status="RUNNING", finishedAt=None) for number, start in enumerate(times(400, step=60))]
    looks = Looks({"/v2/actor-runs": pages(items, 1000)})
    await looks.look()
    items[:] = [item | {"status": "FAILED", "finishedAt": f"{DAY}23:00:00.000Z"} for item in items]
    looks.client.asked.clear()
    await looks.look()
    assert ([], 8) >= (list(looks.ledger.active), len(looks.client.asked))


async def test_a_list_that_is_behind_wakes_nobody() -> None:
    """A run that had ended, and that a list shows as running, is asked for itself: it may have ended all the same."""
    ended = run(1, finishedAt=f"{DAY}10:05:00.000Z")
    looks = Looks({"/v2/actor-runs": pages([ended], 10), "/v2/actor-runs/run1": {"data": ended}})
    before = (await looks.look()).pipelines
    looks.client.table["/v2/actor-runs"] = pages([ended | {"status": "RUNNING", "finishedAt": None}], 10)
    assert (before, []) == ((await looks.look()).pipelines, list(looks.ledger.active))


async def test_jobs_of_an_actor_that_is_not_shown_are_left_out() -> None:
    """Jobs of an Actor that the key may not see, or that is gone, are left out: there is no name for them."""
    forbidden = UnauthorizedError("/v2/actors/actor8", "answered 403", status=403)
    runs = [run(1), run(8, actId="actor8"), run(9, actId="actor9")]
    looks = Looks({"/v2/actor-runs": pages(runs, 10), "/v2/actors/actor8": forbidden})
    listing = await looks.look()
    assert (None, {"run1"}, 1) == (listing.problem, {job.id for job in listing.jobs}, len(listing.pipelines))


async def test_a_resurrected_run_with_its_old_end_runs() -> None:
    """A run that is RUNNING, with the time of the end that is known, has not ended."""
    items = [run(1, finishedAt=f"{DAY}10:05:00.000Z")]
    looks = Looks({"/v2/actor-runs": pages(items, 10)})
    await looks.look()
    items[0]["status"] = "RUNNING"
    await looks.look()
    assert ["run:run1"] == list(looks.ledger.active)


async def test_unknown_words_are_carried_through() -> None:
    """A status that nobody knows is the facet's word; the state is unknown."""
    provider, _ = apify({"/v2/actor-runs": page([run(1, status="HIBERNATING", finishedAt=None)])})
    (now,) = (await provider.list(Known())).pipelines
    assert ({"run": "HIBERNATING", "build": None}, "unknown") == (now.words, now.state)


async def test_a_pipeline_without_change_is_the_same_object() -> None:
    """What differs in nothing is the same object, so that nothing is rendered again."""
    looks = Looks({"/v2/actor-runs": pages([run(1)], 10)})
    first, second = [(await looks.look()).pipelines[0] for _ in range(2)]
    assert first is second


async def test_idle_actors_are_asked_for_their_newest_jobs() -> None:
    """Actors whose newest jobs no page shows are asked for them, once."""
    old = run(1, "2020-01-01T00:00:00.000Z", actId="actor2")
    looks = Looks(
        {
            "/v2/actors": page([actor(1), actor(2)]),
            "/v2/actors/actor2/runs": page([old]),
            "/v2/actors/actor2/builds": page([]),
        }
    )
    now = {one.id: one.words for one in (await looks.look()).pipelines}
    looks.client.asked.clear()
    await looks.look()
    assert {"run": "SUCCEEDED", "build": None} == now["actor2"]
    assert [] == [path for path in looks.client.paths() if path.startswith("/v2/actors/")]


async def test_the_error_is_that_of_the_newest_job() -> None:
    """A newest job that FAILED or TIMED-OUT is a standing error, its word the code."""
    provider, _ = apify(
        {
            "/v2/actor-runs": page([run(1)]),
            "/v2/actor-builds": page([run(2, f"{DAY}11:00:00.000Z", status="TIMED-OUT")]),
        }
    )
    (now,) = (await provider.list(Known())).pipelines
    assert ("TIMED-OUT", "succeeded") == (now.error_code, now.state)


async def test_limits_that_cannot_be_read_lose_nothing() -> None:
    """A failing limits request is a problem of the look, and the account stays as it was; a forbidden one is none."""
    looks = Looks({"/v2/users/me/limits": {"data": {"current": {"monthlyUsageUsd": 1}, "limits": {}}}})
    known = (await looks.look()).account
    looks.client.table["/v2/users/me/limits"] = FAILURE
    failed = await looks.look()
    assert (Account({"monthly_usage_usd": 1}, {}), known, FAILURE) == (known, failed.account, failed.problem)
    del looks.client.table["/v2/users/me/limits"]
    assert None is (await looks.look()).problem


def test_resources_of_the_account() -> None:
    """Limits lose their `max`, and meet what is used; what is no number is left out."""
    account = read_account(
        {
            "current": {"monthlyUsageUsd": 43, "activeActorJobCount": 0, "note": "x", "actorCount": True},
            "limits": {"maxMonthlyUsageUsd": 300, "maxConcurrentActorJobs": 256, "dataRetentionDays": 90, "max Ü": 1},
        }
    )
    assert account == Account(
        {"monthly_usage_usd": 43, "active_actor_job_count": 0},
        {"monthly_usage_usd": 300, "active_actor_job_count": 256, "data_retention_days": 90},
    )
    assert (None, None) == (read_account([]), read_account({"current": 7}))


async def test_the_list_of_actors_has_to_be_there() -> None:
    """A look without any Actors fails as a whole; one of which a later page fails keeps all that were known."""
    provider, client = apify({"/v2/actors": FAILURE})
    with pytest.raises(StatusError):
        await provider.list(Known())
    client.table["/v2/actors"] = page([actor(1), actor(2)])
    await provider.list(Known())
    second = iter([page([actor(1)], limit=1, total=2), FAILURE])
    client.table["/v2/actors"] = lambda _: next(second)
    listing = await provider.list(Known(first=False))
    assert ({"actor1", "actor2"}, FAILURE) == ({now.id for now in listing.pipelines}, listing.problem)


async def test_actors_that_cannot_be_read_are_there() -> None:
    """An Actor without a name is counted, with its id, so that it is not taken for deleted."""
    provider, _ = apify({"/v2/actors": page([actor(1), {"id": "actor2", "username": "jane"}, {"name": "x"}])})
    listing = await provider.list(Known())
    assert (2, {"actor2"}, 1) == (listing.malformed, set(listing.malformed_ids), listing.unidentified)


async def test_other_answers_for_a_job() -> None:
    """A job that is answered with another one, or with none, is an answer that cannot be used."""
    provider, client = apify({"/v2/actor-runs/run1": {"data": run(2)}})
    answers: list[Any] = [{"data": run(2)}, {"data": []}, {"error": 1}, b"<html>"]
    for answer in answers:
        client.table["/v2/actor-runs/run1"] = answer
        with pytest.raises(MalformedError):
            await provider.job("run", "run1", Priority.EVENTS)


async def test_a_resource_is_asked_at_its_pace() -> None:
    """With a budget over 60 requests a second, no path is asked more often than the vendor takes."""
    client = Asked({"/v2/actor-runs": page([])}, per_second=1000)
    api = Api(client)
    for _ in range(3):
        await api.page("/v2/actor-runs", {}, priority=Priority.LIST)
    pace = api._paces["/v2/actor-runs"]
    assert (True, True) == (pace.per_second + pace.burst <= 60, pace.available() < pace.burst)
    slow = Api(Asked({"/v2/actor-runs": page([])}, per_second=10))
    await slow.page("/v2/actor-runs", {}, priority=Priority.LIST)
    assert {} == slow._paces


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("id", "actId", "status", "startedAt", "finishedAt", "buildId", "stats", "usageTotalUsd", "username", "name")
ITEMS = st.lists(
    st.builds(
        lambda base, bad: base | bad,
        st.sampled_from([run(1), run(2), actor(1)]),
        st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    )
    | JSON,
    max_size=4,
)
ANSWERS = st.builds(
    lambda items, bad: page(items) | bad, ITEMS, st.dictionaries(st.sampled_from(["data"]), JSON, max_size=1)
) | st.builds(
    lambda items, bad: {"data": page(items)["data"] | bad},
    ITEMS,
    st.dictionaries(st.sampled_from(["total", "limit", "offset", "count", "items"]), JSON, max_size=2),
)


@settings(deadline=None)  # the machine may be busy
@given(
    st.fixed_dictionaries(
        dict.fromkeys(("/v2/actors", "/v2/actor-runs", "/v2/actor-builds", "/v2/users/me/limits"), ANSWERS)
    )
)
async def test_no_answer_breaks_a_look(table: dict[str, Any]) -> None:
    """Whatever comes as an answer, a look ends, in a listing or a `ProviderError`, and the ledger takes it."""
    looks = Looks(table)
    for _ in range(2):
        try:
            listing = await looks.look()
        except ProviderError:
            return
        assert [] == [job for job in listing.jobs if not job.pipeline_id]
