"""The simulator's answers against those of a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from yarl import URL

from exporter.simulator import World, serve
from tests.recordings import need_recordings
from tests.simulator.recordings import recording, stable_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

need_recordings()

KEY = "apikey:right"
UNKNOWN = "019ffe1a-0000-7000-8000-000000000000"
EXACT = [
    ("01-pipelines-empty-status", "/v0/pipelines?selector=status"),
    ("01-pipelines-empty-default", "/v0/pipelines"),
    ("01-pipelines-unknown-query", "/v0/pipelines?selector=status&foo=1"),
    ("01-pipelines-bad-selector", "/v0/pipelines?selector=Status"),
    ("01-pipelines-empty-selector", "/v0/pipelines?selector="),
    ("01-pipelines-dup-selector", "/v0/pipelines?selector=status&selector=all"),
    ("01-pipelines-trailing-slash", "/v0/pipelines/?selector=status"),
    ("01-pipeline-unknown", "/v0/pipelines/nope?selector=status"),
    ("01-unknown-in-v0", "/v0/nope"),
    ("01-unknown-in-v0-sub", "/v0/pipelines/p1/nope"),
    ("01-v0-root", "/v0"),
    ("01-v0-healthz", "/v0/healthz"),
    ("01-healthz", "/healthz"),
    ("01-metrics-empty", "/v0/metrics"),
    ("01-config-session", "/v0/config/session"),
    ("01-config-authentication", "/config/authentication"),
    ("01-cluster-event-notuuid", "/v0/cluster/events/xyz"),
    ("01-cluster-event-unknown", f"/v0/cluster/events/{UNKNOWN}"),
    ("01-cluster-events-bad-selector", "/v0/cluster/events/latest?selector=foo"),
    ("02-events-bad-name", "/v0/pipelines/a%20b/events"),
    ("02-events-unknown-pipeline", "/v0/pipelines/nope/events"),
    ("02-event-unknown-pipeline-latest", "/v0/pipelines/nope/events/latest"),
    ("02-events-other-pipelines-event", f"/v0/pipelines/nope/events/{UNKNOWN}"),
    ("03-logs-unknown-pipeline", "/v0/pipelines/nope/logs"),
]
WITH_PIPELINE = [
    ("02-event-not-uuid", "/v0/pipelines/badjar/events/xyz"),
    ("02-event-LATEST-upper", "/v0/pipelines/badjar/events/LATEST"),
    ("02-event-unknown-id", f"/v0/pipelines/badjar/events/{UNKNOWN}"),
    ("02-events-bad-selector", "/v0/pipelines/badjar/events?selector=full"),
    ("02-events-trailing-slash", "/v0/pipelines/badjar/events/"),
    ("02-event-latest-slash", "/v0/pipelines/badjar/events/latest/"),
]
AUTHORIZATION: list[tuple[str, str, Mapping[str, str]]] = [
    ("07-auth-missing-header", "/v0/pipelines", {}),
    ("07-auth-bad-apikey", "/v0/pipelines", {"Authorization": "Bearer apikey:doesnotexist"}),
    ("07-auth-bad-jwt", "/v0/pipelines", {"Authorization": "Bearer abc.def.ghi"}),
    ("07-auth-basic", "/v0/pipelines", {"Authorization": "Basic dTpw"}),
    ("07-auth-empty-bearer", "/v0/pipelines", {"Authorization": "Bearer "}),
    ("07-auth-unknown-in-v0-noauth", "/v0/nope", {}),
    ("07-auth-ro-unknown-endpoint", "/v0/nope", {"Authorization": f"Bearer {KEY}"}),
    ("07-auth-session-ro", "/v0/config/session", {"Authorization": f"Bearer {KEY}", "Feldera-Tenant": "nope"}),
    ("07-auth-config-authentication", "/config/authentication", {}),
    ("07-auth-healthz", "/healthz", {}),
]
_PLAIN = {"Accept-Encoding": "identity"}


async def _ask(
    world: World, path: str, headers: Mapping[str, str] = _PLAIN, *, method: str = "GET", api_key: str | None = None
) -> tuple[int, list[tuple[str, str]], bytes]:
    async with (
        serve(world, api_key=api_key) as server,
        aiohttp.ClientSession() as session,
        session.request(method, URL(server.url + path, encoded=True), headers={**_PLAIN, **headers}) as response,
    ):
        return response.status, stable_headers(list(response.headers.items())), await response.read()


@pytest.mark.parametrize(("name", "path"), EXACT)
async def test_an_empty_server_answers_as_recorded(name: str, path: str) -> None:
    """Status, headers and body of a server without pipelines are those of the real one."""
    expected = recording(name)

    actual = await _ask(World(), path)

    assert (expected.status, expected.headers, expected.body) == actual


@pytest.mark.parametrize(("name", "path"), WITH_PIPELINE)
async def test_errors_of_a_known_pipeline_are_as_recorded(name: str, path: str) -> None:
    """Bad ids, selectors and slashes under a known pipeline fail as on the real server."""
    expected = recording(name)
    world = World()
    world.create("badjar", compile_as="system_error")

    actual = await _ask(world, path)

    assert (expected.status, expected.headers, expected.body) == actual


@pytest.mark.parametrize(("name", "path", "headers"), AUTHORIZATION)
async def test_authorization_is_as_recorded(name: str, path: str, headers: Mapping[str, str]) -> None:
    """With an API key set, every way to come without it is turned away as on the real server."""
    expected = recording(name)

    actual = await _ask(World(), path, headers, api_key=KEY)

    assert (expected.status, expected.headers, expected.body) == actual


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        ("01-post-on-get", "POST", "/v0/config"),
        ("01-delete-on-list", "DELETE", "/v0/pipelines"),
    ],
)
async def test_a_wrong_method_is_forbidden(name: str, method: str, path: str) -> None:
    """Other methods than GET get 403, not 405."""
    expected = recording(name)

    actual = await _ask(World(), path, method=method)

    assert (expected.status, expected.headers, expected.body) == actual


async def test_head_is_forbidden() -> None:
    """HEAD gets 403 with the headers of the JSON that it does not show."""
    expected = recording("01-pipelines-head")

    actual = await _ask(World(), "/v0/pipelines?selector=status", method="HEAD")

    assert (expected.status, expected.headers, b"") == actual


@pytest.mark.parametrize("path", ["/", "//v0/pipelines?selector=status", "/foo/bar", "/pipelines/p1/events"])
async def test_the_web_console_answers_outside_of_the_api(path: str) -> None:
    """A wrong base URL gives 200 and HTML."""
    expected = recording("01-root")

    status, headers, body = await _ask(World(), path)

    assert (expected.status, expected.headers) == (status, headers)
    assert body.startswith(b"<!doctype html>")


async def test_gzip_comes_in_chunks_when_asked() -> None:
    """A compressed answer has the headers of the real one, chunked and with a second `vary`."""
    expected = recording("01-gzip")

    actual = await _ask(World(), "/v0/pipelines?selector=status", {"Accept-Encoding": "gzip"})

    assert (expected.status, expected.headers, b"[]") == actual


def _keys(document: Any) -> Any:
    """Return the keys of a document in their order, and those of its objects."""
    if isinstance(document, dict):
        return [(key, _keys(value)) for key, value in document.items()]
    return None


@pytest.mark.parametrize(
    ("name", "path", "version"),
    [
        ("01-config", "/v0/config", "0.337.0"),
        ("01-cluster-healthz", "/v0/cluster_healthz", "0.337.0"),
        ("01-cluster-event-latest", "/v0/cluster/events/latest", "0.337.0"),
        ("01-cluster-event-latest-all", "/v0/cluster/events/latest?selector=all", "0.337.0"),
        ("04-life-running-status", "/v0/pipelines/life?selector=status", "0.337.0"),
        ("04-life-running-swc", "/v0/pipelines/life?selector=status_with_connectors", "0.337.0"),
    ],
)
async def test_documents_have_the_keys_of_the_real_ones(name: str, path: str, version: str) -> None:
    """Keys and their order are those of the real server, all the way down."""
    expected = recording(name)
    world = World(version=version)
    world.create("life")
    world.advance(10)
    pipeline = world.find("life")
    assert pipeline is not None
    pipeline.start()
    world.advance(10)

    status, headers, body = await _ask(world, path)

    assert (expected.status, expected.headers) == (status, headers)
    assert _keys(expected.json) == _keys(_decode(body))


async def test_all_fields_of_a_pipeline_are_those_of_the_real_one() -> None:
    """The selector `all` has the keys of the real server, in order."""
    expected = recording("04-life-running-all")
    world = World()
    world.create("life")

    _, _, body = await _ask(world, "/v0/pipelines/life")

    assert list(expected.json) == list(_decode(body))


def _decode(body: bytes) -> Any:
    import msgspec

    return msgspec.json.decode(body)
