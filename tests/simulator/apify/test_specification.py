"""Every answer of the simulated Apify against the vendor's specification."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from exporter.simulator.apify import APIFY_FAULTS, APIFY_REFUSALS, lively_apify
from tests.simulator.apify.asking import START_US, ask, ended, world_with_actor

if TYPE_CHECKING:
    from exporter.simulator.apify import ApifyWorld

_FILE = Path(__file__).parents[4] / "shared" / "contracts" / "apify-openapi.json"
pytestmark = pytest.mark.skipif(not _FILE.exists(), reason=f"{_FILE} is not there")


@pytest.fixture(scope="module")
def specification() -> Any:
    """Return the vendor's OpenAPI document."""
    return json.loads(_FILE.read_text())


@pytest.fixture(scope="module")
def world() -> ApifyWorld:
    """Return a world with all that lists and documents can hold."""
    world = lively_apify(10, now_us=START_US, seed=1)
    world.rate_limit = None
    return world


def _schema(specification: Any, path: str, status: int) -> dict[str, Any]:
    """Return the schema of an answer."""
    for template, operations in specification["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            content = operations["get"]["responses"][str(status)]["content"]["application/json"]
            return content["schema"]  # type: ignore[no-any-return]
    raise AssertionError(f"{path} is not in the specification")


def _problems(specification: Any, schema: dict[str, Any], document: Any) -> list[str]:
    """Return what a document has that its schema forbids."""
    # References begin at the root: the whole document is the schema, with one more keyword or several.
    validator = OAS31Validator({**specification, **schema}, format_checker=oas31_format_checker)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


def _unknown(specification: Any, name: str, document: dict[str, Any]) -> set[str]:
    """Return the keys of a document that its schema does not have."""
    return set(document) - set(specification["components"]["schemas"][name]["properties"])


def test_a_document_that_is_not_as_specified_is_found(specification: Any) -> None:
    """The check itself sees a missing key, a time that is none and a word that no one knows."""
    item = {"id": "x", "startedAt": "today", "status": "DREAMING", "usageTotalUsd": 1}
    problems = _problems(specification, {"$ref": "#/components/schemas/BuildShort"}, item)

    assert {"$", "$.startedAt", "$.status"} == {problem.partition(":")[0] for problem in problems}


@pytest.mark.parametrize(
    "path",
    [
        "/v2/actors",
        "/v2/actor-runs",
        "/v2/actor-builds",
        "/v2/users/me",
        "/v2/users/me/limits",
        "/v2/users/me/usage/monthly",
    ],
)
def test_lists_and_the_account_are_as_specified(specification: Any, world: ApifyWorld, path: str) -> None:
    """Lists of a lively world, and the documents of its account, fit their schemas."""
    status, document = ask(world, path)

    assert (200, []) == (status, _problems(specification, _schema(specification, path, 200), document))


@pytest.mark.parametrize("kind", ["runs", "builds"])
def test_each_job_and_the_lists_of_each_actor_are_as_specified(
    specification: Any, world: ApifyWorld, kind: str
) -> None:
    """Every job of a lively world fits its schema, whatever became of it, and so does the list of every Actor."""
    paths = [f"/v2/actor-{kind}/{job.id}" for job in world.jobs(kind.removesuffix("s")) if job.seen]
    paths += [f"/v2/actors/{actor.id}/{kind}" for actor in world.actors.values()]
    found = [ask(world, path) for path in paths]

    assert {200} == {status for status, _ in found}
    schemas = [_schema(specification, path, 200) for path in paths]
    validated = [
        _problems(specification, schema, document) for schema, (_, document) in zip(schemas, found, strict=True)
    ]
    assert [[]] * len(paths) == validated


def test_each_actor_is_as_specified(specification: Any, world: ApifyWorld) -> None:
    """Every Actor fits its schema, also one that was never built."""
    world.add_actor("never-built")
    for actor in world.actors.values():
        path = f"/v2/actors/{actor.id}"
        assert [] == _problems(specification, _schema(specification, path, 200), ask(world, path)[1])


@pytest.mark.parametrize(
    ("path", "name"), [("/v2/actors", "ActorShort"), ("/v2/actor-runs", "RunShort"), ("/v2/actor-builds", "BuildShort")]
)
def test_items_have_only_what_is_specified(specification: Any, world: ApifyWorld, path: str, name: str) -> None:
    """Items of lists have no key that the specification does not know, and some lack what is optional."""
    items = ask(world, path)[1]["data"]["items"]

    assert [set()] * len(items) == [_unknown(specification, name, item) for item in items]


def test_single_documents_have_only_what_is_specified(specification: Any) -> None:
    """An Actor, a build and a run have no key that the specification does not know."""
    world, actor = world_with_actor()
    build = ended(actor.start_build())
    run = ended(actor.start_run())
    found = {
        "Actor": ask(world, f"/v2/actors/{actor.id}")[1]["data"],
        "Build": ask(world, f"/v2/actor-builds/{build.id}")[1]["data"],
        "Run": ask(world, f"/v2/actor-runs/{run.id}")[1]["data"],
    }

    assert {name: set() for name in found} == {name: _unknown(specification, name, found[name]) for name in found}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/v2/actor-runs", "limit=x", 400),
        ("/v2/actor-runs", "offset=-1", 400),
        ("/v2/actor-runs", "startedAfter=yesterday", 400),
        ("/v2/users/me/usage/monthly", "date=today", 400),
        ("/v2/actors/nobody~nothing", "", 404),
        ("/v2/actor-runs/unknown", "", 404),
        ("/v2/actor-runs/unknown/log", "", 404),
        ("/v2/logs/unknown", "", 404),
    ],
)
def test_errors_are_as_specified(specification: Any, world: ApifyWorld, path: str, query: str, status: int) -> None:
    """Refusals fit the schema of their status, with a type that the specification lists."""
    found, document = ask(world, path, query)

    assert (status, []) == (found, _problems(specification, _schema(specification, path, status), document))


def test_refused_credentials_and_methods_are_as_specified(specification: Any, world: ApifyWorld) -> None:
    """So do a missing and a wrong token, and the limit of requests."""
    limited, _ = world_with_actor(rate_limit=0)
    path = "/v2/actor-runs"
    found = [
        ask(world, path, api_key="right"),
        ask(world, path, api_key="right", authorization="Bearer wrong"),
        ask(limited, path),
    ]

    assert [401, 401, 429] == [status for status, _ in found]
    assert [[]] * 3 == [
        _problems(specification, _schema(specification, path, status), document) for status, document in found
    ]


def test_faults_that_are_errors_of_apify_have_its_envelope(specification: Any) -> None:
    """What can be ordered to go wrong in Apify's own words fits its error document, all but the type of a bad token."""
    wrong = {}
    for name, fault in (APIFY_FAULTS | APIFY_REFUSALS).items():
        if fault.answer is not None and (fault.answer.content_type or "").endswith("charset=utf-8"):
            schema = {"$ref": "#/components/schemas/ErrorResponse"}
            wrong[name] = bool(_problems(specification, schema, json.loads(fault.answer.body.raw)))

    assert {
        "rate_limited": False,
        "rate_limited_wait": False,
        "server_error": False,
        # One of the vendor's pages has this type, its specification has not.
        "unauthorized": True,
        "forbidden": False,
        "not_found": False,
    } == wrong
