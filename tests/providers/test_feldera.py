"""What the list and the events of a Feldera server say, and how they are asked for."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from exporter.providers.base import LogStream, Reading
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError
from exporter.providers.feldera import read_list, read_pipeline
from tests.providers.documents import ID, encoded, event, pipeline, running
from tests.providers.loopback import answer, asking, loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.status.model import Listing

ERROR = {"message": "exited\nwith status 101", "error_code": "RunnerCheckError", "details": {}}


def listed(*entries: Any) -> Listing:
    """Read a list of these entries."""
    return read_list([msgspec.Raw(encoded(entry)) for entry in entries], {})[0]


async def read_reading(*events: Any) -> Reading:
    """Ask a server for the history that these events are."""
    async with loopback(answer(encoded(list(events)))) as server, asking(server.url) as asked:
        return await asked.feldera.history(read_pipeline(pipeline()), Priority.EVENTS)


@pytest.mark.parametrize("field", sorted(pipeline()))
def test_what_changes_the_digest(field: str) -> None:
    """Every field but description and tags marks a change that can have written an event."""
    entry = pipeline()
    changed = read_pipeline(entry | {field: "another"})
    assert (field in {"description", "tags"}) == (read_pipeline(entry).digest == changed.digest)


def test_an_unknown_field_changes_the_digest() -> None:
    """A field of a newer version counts as one; the order of fields does not."""
    entry = pipeline()
    turned = dict(reversed(entry.items()))
    assert read_pipeline(entry).digest == read_pipeline(turned).digest
    assert read_pipeline(entry).digest != read_pipeline(entry | {"new_field": 1}).digest


def test_unknown_words_are_carried_through() -> None:
    """A status of a newer version is shown as it is; a monstrous one is cut."""
    now = read_pipeline(running("Dreaming", "Sleeping", storage_status="x" * 1000))
    assert ("Dreaming", "Sleeping") == (now.words["runtime"], now.desired["runtime"])
    assert "x" * 64 + "…" == now.words["storage"]


async def test_unknown_words_of_events_are_carried_through() -> None:
    """A history with a word of a newer version is read whole."""
    reading = await read_reading(event(deployment_runtime_status="Dreaming", new_field={"a": 1}))
    assert ([("Provisioned", "Dreaming", "Success", "InUse")], 0) == (
        [one.words for one in reading.events],
        reading.malformed,
    )


@pytest.mark.parametrize("second", [pipeline(name="other"), pipeline(id="other"), pipeline()])
def test_of_two_with_one_id_or_name_the_first_is_taken(second: dict[str, Any]) -> None:
    """Two entries that would give the same series are one, and a malformed one."""
    listing = listed(pipeline(), second)
    assert ([(ID, "orders")], 1) == ([(now.id, now.name) for now in listing.pipelines], listing.malformed)


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        [],
        "orders",
        {},
        pipeline(id=None),
        pipeline(id=""),
        pipeline(name=7),
        pipeline(name="x" * 257),
        pipeline(name="."),
        pipeline(name=".."),
    ],
)
def test_malformed_entries_are_counted(entry: Any) -> None:
    """An entry without id or name is left out and counted; its neighbours are read."""
    listing = listed(entry, pipeline())
    assert (["orders"], 1) == ([now.name for now in listing.pipelines], listing.malformed)


def test_an_entry_without_anything_but_id_and_name() -> None:
    """Whatever else is missing or of another type is unknown, not an error."""
    now = listed({"id": "a", "name": "b", "deployment_resources_status": 7, "deployment_error": "boom"}).pipelines[0]
    assert ("unknown", None, "other", "", 0) == (
        now.state,
        now.words["resources"],
        now.error_code,
        now.error_message,
        now.changed_ns,
    )


def test_an_unchanged_entry_is_not_decoded_again() -> None:
    """The same text gives the same object, in a list of another order too."""
    raws = [msgspec.Raw(encoded(pipeline(id=str(number), name=f"p{number}"))) for number in range(3)]
    first, known = read_list(raws, {})
    second, _ = read_list(raws[::-1], known)
    assert [id(now) for now in first.pipelines[::-1]] == [id(now) for now in second.pipelines]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        {},
        event(event_id="no uuid"),
        event(event_id=7),
        event(recorded_at="yesterday"),
        event(recorded_at="9999-12-31T23:59:59Z"),
        event(deployment_resources_status=None),
        event(deployment_has_error="yes"),
    ],
)
async def test_malformed_events_are_counted(entry: Any) -> None:
    """An event that cannot be read is left out and counted; its neighbours are read."""
    reading = await read_reading(entry, event())
    assert (1, 1) == (len(reading.events), reading.malformed)


@pytest.mark.parametrize(
    ("written", "nanoseconds"),
    [("", 0), (".5", 500_000_000), (".469", 469_000_000), (".469438", 469_438_000), (".469438123", 469_438_123)],
)
async def test_times_with_any_number_of_digits(written: str, nanoseconds: int) -> None:
    """`recorded_at` has 0, 3, 6 or 9 digits of a second; none is lost."""
    reading = await read_reading(event(recorded_at=f"2026-11-21T07:31:01{written}Z"))
    assert [1_795_246_261 * 10**9 + nanoseconds] == [one.at_ns for one in reading.events]


async def test_what_an_event_says() -> None:
    """An event tells its words, whether the pipeline was wanted and ran, was where it should be, and had an error."""
    reading = await read_reading(
        event(),
        event(deployment_runtime_status="ConcurrentBootstrapping"),
        event(deployment_runtime_status="Paused", deployment_runtime_desired_status="Paused"),
        event(deployment_resources_desired_status="Stopped", deployment_has_error=True, deployment_runtime_status=None),
    )
    found = [(one.wanted, one.running, one.settled, one.has_error) for one in reading.events]
    assert [
        (True, True, True, False),
        (True, True, False, False),
        (True, False, True, False),
        (False, False, False, True),
    ] == found


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"deployment_runtime_status_details": {"connector_stats": {"num_errors": 3}}}, 3),
        ({"connectors": {"num_errors": 2}}, 2),
        ({"connectors": {}}, None),
        ({"deployment_runtime_status_details": {"connector_stats": {"num_errors": True}}}, None),
        ({"deployment_runtime_status_details": {"connector_stats": {"num_errors": -1}}}, None),
        ({"deployment_runtime_status_details": {"connector_stats": {"num_errors": 10**400}}}, None),
        ({"deployment_runtime_status_details": ["anything"]}, None),
        ({"deployment_runtime_status_details": "anything"}, None),
        ({}, None),
    ],
)
def test_connector_errors(changes: Mapping[str, Any], number: int | None) -> None:
    """Their number is read from where it stands, and is absent where it is unknown or makes no sense."""
    assert number == read_pipeline(running(**changes)).gauges.get("connector_errors")


@pytest.mark.parametrize(
    ("entry", "code", "message"),
    [
        (pipeline(), None, ""),
        (pipeline(deployment_error=ERROR), "RunnerCheckError", "exited with status 101"),
        (pipeline(deployment_error=ERROR, program_status="SqlError"), "RunnerCheckError", "exited with status 101"),
        (pipeline(program_status="SqlError"), "SqlError", "the program does not compile"),
        (pipeline(deployment_error={"error_code": "", "message": None}), "other", ""),
        (pipeline(deployment_error=[1]), "other", ""),
    ],
)
def test_the_standing_error(entry: dict[str, Any], code: str | None, message: str) -> None:
    """A deployment error goes before a program error; an error without a code is `other`."""
    now = read_pipeline(entry)
    assert (code, message) == (now.error_code, now.error_message)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("orders-1_a", "orders-1_a"),
        ("a b", "a%20b"),
        ("a/../b", "a%2F..%2Fb"),
        ("a?b=c&d#e", "a%3Fb=c&d%23e"),
        ("100%", "100%25"),
        ("%2e%2e", "%252e%252e"),
        ("naïve", "na%C3%AFve"),
        ("...", "..."),
        ("a;b,c:d@e+f", "a;b,c:d@e%2Bf"),
    ],
)
async def test_a_name_is_one_segment_of_the_path(name: str, quoted: str) -> None:
    """Whatever a server calls a pipeline, the request stays below that name."""
    now = read_pipeline(pipeline(name=name))
    async with loopback(answer(b"[]"), answer(b"{}")) as server, asking(server.url) as asked:
        await asked.feldera.history(now, Priority.EVENTS)
        assert not await asked.feldera.confirm(now)
        assert [f"/v0/pipelines/{quoted}/events", f"/v0/pipelines/{quoted}"] == [
            one.target.partition("?")[0] for one in server.requests
        ]


async def test_what_is_asked() -> None:
    """The short selector is always named, as the default one is megabytes."""
    replies = [answer(b"[]")] * 3 + [answer(b'{"status":"healthy"}')]
    async with loopback(*replies) as server, asking(server.url) as asked:
        await asked.feldera.list()
        await asked.feldera.events("orders", selector="all")
        await asked.feldera.event("orders", "latest")
        await asked.feldera.alive()
        assert [
            "/v0/pipelines?selector=status",
            "/v0/pipelines/orders/events?selector=all",
            "/v0/pipelines/orders/events/latest?selector=status",
            "/healthz",
        ] == [one.target for one in server.requests]


async def test_whose_name_it_is() -> None:
    """A name is confirmed when its pipeline has the id, and not when it is gone or another's."""
    now = read_pipeline(pipeline())
    gone = answer(encoded({"message": "no", "error_code": "UnknownPipelineName"}), status="404 Not Found")
    replies = [answer(encoded(pipeline())), answer(encoded(pipeline(id="new"))), gone]
    async with loopback(*replies) as server, asking(server.url) as asked:
        assert [True, False, False] == [await asked.feldera.confirm(now) for _ in range(3)]


@pytest.mark.parametrize(
    ("listed", "confirmed"),
    [
        ([pipeline(), pipeline(id="x", name="y")], True),
        ([pipeline(id="new")], False),
        ([pipeline(name="y")], False),
        ([], False),
    ],
)
async def test_where_only_the_list_can_be_asked_whose_name_it_is(listed: list[Any], confirmed: bool) -> None:
    """A 404 that does not say that the name is unknown, like that of a proxy, leaves it to the list to say."""
    replies = [answer(status="404 Not Found"), answer(encoded(listed))]
    async with loopback(*replies) as server, asking(server.url) as asked:
        assert confirmed == await asked.feldera.confirm(read_pipeline(pipeline()))
        assert "/v0/pipelines?selector=status" == server.requests[1].target


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "Text/Plain", "application/octet-stream", None])
async def test_a_log_whatever_its_type_was_made(content_type: str | None) -> None:
    """A log is taken also where a proxy took its content type away, made it bytes or wrote it otherwise."""
    reply = answer(b"a line\n", headers=[f"Content-Type: {content_type}"])
    if content_type is None:
        reply = reply.replace(b"Content-Type: None\r\n", b"")
    async with loopback(reply) as server, asking(server.url) as asked:
        log = await asked.feldera.open_log(LogStream("p", "p", "p"), None, Priority.OPEN)
        assert b"a line\n" == await log.read()
        await log.close()


@pytest.mark.parametrize(
    ("epoch", "seq", "uid"),
    [
        ("e1", "7", "e1-8"),
        ("e" * 65, "7", sha256(b"e" * 65).hexdigest() + "-8"),
        ("é", "7", sha256("é".encode()).hexdigest() + "-8"),
        ("e1", "²", None),
        ("e1", "9" * 19, None),
        ("e1", "-7", None),
        ("", "7", None),
    ],
)
async def test_ids_are_made_of_epoch_and_number(epoch: str, seq: str, uid: str | None) -> None:
    """An epoch that is no UUID becomes one that an id has room for; a number that is none is no cursor."""
    headers = ["Content-Type: text/plain", f"feldera-logs-epoch: {epoch}", f"feldera-logs-seq: {seq}"]
    reply = answer(b"a line\n", headers=headers)
    async with loopback(reply) as server, asking(server.url) as asked:
        log = await asked.feldera.open_log(LogStream("p", "p", "p"), None, Priority.OPEN)
        log.resume.feed(await log.read())
        assert uid == log.uid(0)
        await log.close()


@pytest.mark.parametrize("content_type", ["text/html", "application/json", "text/plainly"])
async def test_what_is_no_log(content_type: str) -> None:
    """A page for people or another document is no log."""
    reply = answer(b"<p>a page</p>\n", headers=[f"Content-Type: {content_type}"])
    async with loopback(reply) as server, asking(server.url) as asked:
        with pytest.raises(MalformedError, match="in place of a log"):
            await asked.feldera.open_log(LogStream("p", "p", "p"), None, Priority.OPEN)


async def test_a_pipeline_without_events() -> None:
    """A server may say with 404 that a pipeline has no events: that is an empty history, not a missing pipeline."""
    said = encoded({"message": "none", "error_code": "NoPipelineMonitorEventsAvailable", "details": {}})
    async with loopback(answer(said, status="404 Not Found")) as server, asking(server.url) as asked:
        assert Reading([]) == await asked.feldera.history(read_pipeline(pipeline()), Priority.EVENTS)


async def test_a_pipeline_that_is_gone() -> None:
    """The history of a deleted or renamed pipeline is not found."""
    async with loopback(answer(status="404 Not Found")) as server, asking(server.url) as asked:
        with pytest.raises(NotFoundError):
            await asked.feldera.history(read_pipeline(pipeline()), Priority.SWEEP)


@pytest.mark.parametrize("document", [[], 7, None])
async def test_another_server_is_no_feldera(document: Any) -> None:
    """A configuration that is no object has no version."""
    async with loopback(answer(encoded(document))) as server, asking(server.url) as asked:
        with pytest.raises(MalformedError, match="is this a Feldera server"):
            await asked.feldera.describe()
