"""Hostile answers raise a ProviderError or are counted, and whatever is read goes through the tracker and onto the page."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.providers.budget import Priority
from exporter.providers.errors import ProviderError
from exporter.providers.feldera import VOCABULARY, Feldera, read_pipeline
from exporter.providers.http import Answer
from exporter.status.exposition import Exposition, SourceSeries
from exporter.status.series import Context, SecondsLines, Series, render_kept, render_now, render_up
from exporter.status.tracker import History, Pipeline, begin, merge
from exporter.status.words import Words
from tests.providers.documents import event, health, pipeline, running

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.providers.base import Health
    from exporter.status.model import Component, Event, PipelineNow

NOW_SECONDS = 1795246231.0
FEW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WORDS = st.sampled_from(
    [
        "Stopped",
        "Provisioned",
        "Stopping",
        "Running",
        "Paused",
        "SqlError",
        "InUse",
        "Dreaming",
        'a"b\\c\nd',
        "",
        "x" * 99,
    ]
)
TIMES = st.sampled_from(
    [
        "2026-11-21T07:31:01Z",
        "2026-11-21T07:31:01.000000001Z",
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2261-12-31T23:59:60Z",
        "9999-12-31T23:59:59.999999999Z",
        "2026-02-30T07:31:01Z",
        "2026-11-21T07:31:01+23:59",
        "٢٠٢٦-11-21T07:31:01Z",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | WORDS
    | TIMES
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


@st.composite
def mutated(draw: st.DrawFn, document: dict[str, Any]) -> Any:
    """Return a document with some fields replaced by anything, some gone, some new."""
    result = copy.deepcopy(document)
    for field in draw(st.lists(st.sampled_from(sorted(document)), max_size=4)):
        result[field] = draw(JSON)
    for field in draw(st.lists(st.sampled_from(sorted(document)), max_size=1)):
        result.pop(field, None)
    return result | draw(st.dictionaries(st.text(), JSON, max_size=1))


DOCUMENTS: Mapping[str, Any] = {
    "one": pipeline(),
    "running": running(),
    "event": event(),
    "health": health(stale=False),
}
SHAPED = st.sampled_from(sorted(DOCUMENTS)).flatmap(lambda name: mutated(DOCUMENTS[name]))
ANSWERS = (JSON | SHAPED | st.lists(SHAPED, max_size=4)).map(
    lambda document: as_json(document).encode("utf-8", "replace")
)


def as_json(document: Any) -> str:
    """Write JSON as a server could, also what our own encoder would refuse."""
    return json.dumps(document)


BODIES = (
    st.binary(max_size=200)
    | ANSWERS
    | ANSWERS.flatmap(lambda body: st.integers(0, len(body)).map(lambda end: body[:end]))
)
HEADERS = st.sampled_from(["application/json", "text/html", "text/plain", ""])
DATES = st.sampled_from(["Sat, 21 Nov 2026 07:30:31 GMT", ""]) | st.text(max_size=40)


class Canned:
    """Stands for the HTTP client: gives one answer to everything."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    async def get(self, _path: str, _params: Any = None, **_: Any) -> Answer:
        """Return the answer."""
        return self.answer


def provider(body: bytes, content_type: str = "application/json", date: str = "") -> Feldera:
    """Return a provider that is answered so."""
    client: Any = Canned(Answer("http://x", 200, content_type, date, body))
    return Feldera(client, {"tenant": None}, lambda: NOW_SECONDS)


ASKED: Sequence[Callable[[Feldera], Any]] = (
    lambda feldera: feldera.list(),
    lambda feldera: feldera.history(read_pipeline(pipeline()), Priority.EVENTS),
    lambda feldera: feldera.health(),
    lambda feldera: feldera.describe(),
    lambda feldera: feldera.confirm(read_pipeline(pipeline())),
)


async def ask_everything(feldera: Feldera) -> list[Any]:
    """Ask for everything; whatever else than a ProviderError is raised fails the test."""
    results = []
    for ask in ASKED:
        with contextlib.suppress(ProviderError):
            results.append(await ask(feldera))
    return results


@FEW
@given(body=BODIES, content_type=HEADERS, date=DATES)
def test_any_answer_is_read_or_refused(body: bytes, content_type: str, date: str) -> None:
    """Bytes, JSON of any shape and documents with anything in their fields never raise anything unforeseen."""
    asyncio.run(ask_everything(provider(body, content_type, date)))


def put_through(nows: Sequence[PipelineNow], readings: Sequence[Sequence[Event]], parts: Sequence[Component]) -> None:
    """Track pipelines over their readings, through the journal's form, and render them for both parsers."""
    context = Context("feldera", "prod", VOCABULARY, Words(VOCABULARY.facets))
    series = SourceSeries("feldera", "prod", 75.0, up=True, last_success_seconds=NOW_SECONDS, components=parts)
    for number, now in enumerate(nows):
        tracked, history = begin(now, VOCABULARY, context.words, at_seconds=NOW_SECONDS - 60, first_list=number % 2 > 0)
        for reading in readings:
            before = tracked.events, [dict(facet) for facet in tracked.transitions]
            merge(tracked, history, reading, VOCABULARY, context.words, horizon_seconds=NOW_SECONDS)
            assert tracked.events >= before[0]
            for was, facet in zip(before[1], tracked.transitions, strict=True):
                assert {} == {word: count for word, count in was.items() if facet[word] < count}
            tracked = msgspec.msgpack.decode(msgspec.msgpack.encode(tracked), type=Pipeline)
            history = msgspec.msgpack.decode(msgspec.msgpack.encode(history), type=History)
        series.replace({now.id: rendered(context, now, tracked)}, [], NOW_SECONDS)
    accepted(series)


def rendered(context: Context, now: PipelineNow, tracked: Pipeline) -> Series:
    """Render all series of a pipeline."""
    return Series(
        name=now.name,
        now=render_now(context, now, tracked),
        kept=render_kept(context, tracked),
        seconds=SecondsLines(context, context.labels(now.name), tracked),
        up=True,
        up_lines=render_up(context, now.name),
    )


def accepted(series: SourceSeries) -> None:
    """See that both parsers read the exposition and find every pipeline in it."""
    exposition = Exposition(lambda: NOW_SECONDS)
    exposition.set_sources([series])
    text = b"".join(exposition.parts(openmetrics=False)).decode()
    openmetrics = b"".join(exposition.parts(openmetrics=True)).decode() + "# EOF\n"
    for families in (parse_text(text), parse_openmetrics(openmetrics)):  # type: ignore[no-untyped-call]  # theirs has no types
        found = [
            sample.labels["pipeline"]
            for family in families
            if family.name == "hosted_pipeline_up"
            for sample in family.samples
        ]
        assert len(series.pipelines) == len(found)


@FEW
@given(
    entries=st.lists(mutated(pipeline()) | mutated(running()), max_size=3),
    histories=st.lists(st.lists(mutated(event()), max_size=6), max_size=3),
    document=mutated(health()),
)
def test_what_was_read_goes_all_the_way(entries: list[Any], histories: list[list[Any]], document: Any) -> None:
    """Whatever could be read of hostile answers is counted, kept, rendered, and accepted by both parsers."""

    async def read() -> tuple[Sequence[PipelineNow], list[Sequence[Event]], Sequence[Component]]:
        listing = await provider(as_json(entries).encode()).list()
        readings = []
        for events in histories:
            reading = await provider(as_json(events).encode()).history(read_pipeline(pipeline()), Priority.EVENTS)
            assert len(events) == len(reading.events) + reading.malformed
            readings.append(reading.events)
        assert len(entries) == len(listing.pipelines) + listing.malformed
        found: Health | None = None
        with contextlib.suppress(ProviderError):
            found = await provider(as_json(document).encode()).health()
        return listing.pipelines, readings, () if found is None else found.components

    put_through(*asyncio.run(read()))


IDS = st.integers(0, 30).map(lambda number: f"01a1fd04-04f5-74b3-af6a-{number:012x}")
EVENTS = st.builds(
    event,
    event_id=IDS,
    recorded_at=st.integers(0, 59).map(lambda second: f"2026-11-21T07:29:{second:02}Z"),
    deployment_resources_status=WORDS,
    deployment_resources_desired_status=WORDS,
    deployment_runtime_status=st.none() | WORDS,
    deployment_has_error=st.booleans(),
)


@FEW
@given(
    entry=st.builds(running, st.none() | WORDS, st.none() | WORDS),
    histories=st.lists(st.lists(EVENTS, max_size=12), min_size=1, max_size=4),
)
def test_valid_histories_of_any_order(entry: dict[str, Any], histories: list[list[dict[str, Any]]]) -> None:
    """Contradicting, repeated, late and trimmed events in any order never break the counting, and no count goes down."""

    async def read() -> list[Sequence[Event]]:
        now = read_pipeline(pipeline())
        return [(await provider(as_json(events).encode()).history(now, Priority.EVENTS)).events for events in histories]

    put_through([read_pipeline(entry)], asyncio.run(read()), ())
