"""One job or Actor of which Apify never gives a good answer: nothing else may suffer from it."""

from __future__ import annotations

import pytest

from exporter.providers.apify._discovery import MAX_SINGLE
from exporter.providers.errors import MalformedError, ProviderError, StatusError
from exporter.status.model import Known
from tests.providers.apify_answers import actor, apify, page, run

BAD = StatusError("/v2", "answered 500", status=500)
PAGES = {"/v2/actors": page([actor()]), "/v2/actor-runs": page([]), "/v2/users/me/limits": page([])}


def build(name: str) -> dict[str, object]:
    """Return a build in a list that does not say of which Actor it is."""
    return {**run(1, status="RUNNING", finishedAt=None), "id": name, "actId": None}


@pytest.mark.parametrize("answer", [BAD, {"data": {"id": "bad"}}, {"data": []}])
async def test_a_build_without_answer_does_not_keep_counting_from_its_start(answer: object) -> None:
    """A build that cannot be asked for is a problem that is told, and the source is up."""
    table = {**PAGES, "/v2/actor-builds": page([build("bad")]), "/v2/actor-builds/bad": answer}
    provider, _ = apify(table)
    listing = await provider.list(Known(first=True))

    assert ["jane/shop1"] == [pipeline.name for pipeline in listing.pipelines]
    assert isinstance(listing.problem, ProviderError)


async def test_bad_builds_do_not_hold_good_ones() -> None:
    """However many builds cannot be asked for, the others are asked for with the next looks."""
    bad = [f"bad{number}" for number in range(MAX_SINGLE)]
    table = {
        **PAGES,
        "/v2/actor-builds": page([*map(build, bad), build("good")]),
        **{f"/v2/actor-builds/{name}": BAD for name in bad},
        "/v2/actor-builds/good": {"data": {**build("good"), "actId": "actor1"}},
    }
    provider, _ = apify(table)
    shown = {job.id for _ in range(2) for job in (await provider.list(Known(first=False))).jobs if job.pipeline_id}

    assert "good" in shown


async def test_bad_actors_do_not_hold_good_ones() -> None:
    """However many Actors of others cannot be asked for, the others are shown with the next looks."""
    owners = [*(f"bad{number}" for number in range(60)), "actor2"]
    runs = [run(number, actId=owner) for number, owner in enumerate(owners)]
    table = {
        **PAGES,
        "/v2/actor-runs": page(runs),
        "/v2/actor-builds": page([]),
        **{f"/v2/actors/{owner}": {"data": {"id": owner}} for owner in owners},
        "/v2/actors/actor2": {"data": actor(2)},
    }
    provider, _ = apify(table)
    listings = [await provider.list(Known(first=False)) for _ in range(2)]

    assert isinstance(listings[-1].problem, MalformedError)
    assert "jane/shop2" in [pipeline.name for pipeline in listings[-1].pipelines]
