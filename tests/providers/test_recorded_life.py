"""The recorded histories and documents of real pipelines, through the tracker: against a plain count of the same JSON."""

from __future__ import annotations

import gzip
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from exporter.providers.feldera import VOCABULARY, read_event, read_pipeline
from exporter.status.tracker import START_BUCKETS, begin, merge
from exporter.status.words import Words
from tests.providers.recorded_results import RESULTS
from tests.providers.recordings import recording
from tests.recordings import need_recordings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.status.tracker import Pipeline

need_recordings()

HISTORIES = [name for name, result in RESULTS.items() if result.endswith(" events")]
WORD_FIELDS = {
    "resources": "deployment_resources_status",
    "runtime": "deployment_runtime_status",
    "program": "program_status",
    "storage": "storage_status",
}


def history(name: str) -> list[dict[str, Any]]:
    """Return the events of a recording as they came."""
    recorded = recording(name)
    zipped = "content-encoding: gzip" in recorded.headers
    events: list[dict[str, Any]] = msgspec.json.decode(gzip.decompress(recorded.body) if zipped else recorded.body)
    return events


def plain_count(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """Count entries in the plainest way: each event once, in order, each value that differs from the one before."""
    unique = {event["event_id"]: event for event in events}.values()
    ordered = sorted(unique, key=lambda event: (datetime.fromisoformat(event["recorded_at"]), event["event_id"]))
    counts: Counter[tuple[str, str]] = Counter()
    before: dict[str, str | None] = {}
    for event in ordered:
        for facet, field in WORD_FIELDS.items():
            if event[field] != before.get(facet) and event[field] is not None:
                counts[facet, event[field]] += 1
            before[facet] = event[field]
    return counts


def track(*readings: Sequence[dict[str, Any]]) -> Pipeline:
    """Track a pipeline that appears after its source's first list, and merge these readings of its history."""
    words = Words(VOCABULARY.facets)
    now = read_pipeline(recording("04-life-running-status").json)
    pipeline, kept = begin(now, VOCABULARY, words, at_seconds=0.0, first_list=False)
    for reading in readings:
        events = [read_event(msgspec.json.encode(event)) for event in reading]
        merge(pipeline, kept, events, VOCABULARY, words, horizon_seconds=2e9)
    return pipeline


def counts(pipeline: Pipeline) -> dict[tuple[str, str], int]:
    """Return the transitions that the tracker counted."""
    facets = zip(VOCABULARY.facets, pipeline.transitions, strict=True)
    return {(facet, word): count for facet, counted in facets for word, count in counted.items()}


@pytest.mark.parametrize("name", HISTORIES)
def test_a_history_is_counted_as_it_is(name: str) -> None:
    """Every event counts once and every entry once, also when the same answer comes again."""
    events = history(name)
    pipeline = track(events, events)
    assert (len({event["event_id"] for event in events}), 0) == (pipeline.events, pipeline.missed)
    assert plain_count(events) == counts(pipeline)


@pytest.mark.parametrize("name", HISTORIES)
def test_the_order_of_arrival_does_not_matter(name: str) -> None:
    """Read oldest first, the halves one after the other, or newest first: the counts are the same."""
    events = history(name)
    half = len(events) // 2
    assert counts(track(events)) == counts(track(events[::-1])) == counts(track(events[half:], events))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("04-life-events1-status", "04-life-events2-status"),
        ("04-life-events1-all", "04-life-events2-status"),
        ("04-after-manager-crash-events", "04-after-manager-sigterm-events"),
        ("02-badjar-events-status", "02-event-after-noops"),
    ],
)
def test_a_history_that_grew_is_counted_once(earlier: str, later: str) -> None:
    """Two readings of one pipeline give what the longer one gives alone, whatever their selectors."""
    both, alone = track(history(earlier), history(later)), track(history(later))
    assert (alone.events, 0, counts(alone)) == (both.events, both.missed, counts(both))
    assert alone.starts == both.starts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (history("05-retention5-events"), history("05-retention5-events-30s-later")),
        (history("05-retention-events-list-status"), history("05-retention-events-list-gzip")[:629]),
    ],
)
def test_a_trim_is_no_gap(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> None:
    """When the server drops old events that were read already, nothing was missed and nothing counts twice."""
    pipeline = track(before, after, after)
    assert (len(before), 0, plain_count(before)) == (pipeline.events, pipeline.missed, counts(pipeline))


def test_what_was_trimmed_unread_is_a_gap() -> None:
    """720 later events, of which the eldest is newer than all that was read, are one gap."""
    before, after = history("04-m-badport-events-status"), history("05-retention-events-list-status")
    pipeline = track(before, after, after)
    assert (731, 1, plain_count(before + after)) == (pipeline.events, pipeline.missed, counts(pipeline))


def test_the_whole_life_of_a_pipeline() -> None:
    """Five runs, one of them started into Paused; the four starts into Running took just under four seconds."""
    pipeline = track(history("04-life-events2-all"))
    counted = counts(pipeline)
    runtime = {word: count for (facet, word), count in counted.items() if facet == "runtime"}
    assert {"Initializing": 5, "Running": 5, "Paused": 2} == runtime
    assert (5, 6) == (counted["resources", "Provisioned"], counted["resources", "Stopped"])
    assert (4, 4) == (pipeline.starts.counts[START_BUCKETS.index(5.0)], sum(pipeline.starts.counts))


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        (
            "04-life-crashed-status",
            "RunnerCheckError",
            "Pipeline check failed: compute and/or storage resources encountered a fatal error.",
        ),
        ("04-life-sigkilled-status", "RunnerCheckError", "Pipeline check failed: "),
        ("04-life-exit0-status", "RunnerCheckError", "Pipeline check failed: "),
        ("04-m-badport-status", "RunnerProvisionError", "Pipeline provision failed: unable to parse port file"),
        ("04-m-noport-status", "AutomatonProvisioningTimeout", "within the timeout of 20s. Possible reasons:"),
        ("04-life-fatal-status", "RuntimeError.WorkerPanic", "worker threads terminated unexpectedly"),
        ("02-badjar-pipeline-status", "SystemError", "the program does not compile"),
        ("05-rusterr-pipeline-all", "RustError", "the program does not compile"),
    ],
)
def test_a_standing_error_is_said_in_one_line(name: str, code: str, message: str) -> None:
    """The code is the vendor's, the message its first line and short."""
    now = read_pipeline(recording(name).json)
    assert (code, True) == (now.error_code, message in now.error_message)
    assert (False, True) == ("\n" in now.error_message, 0 < len(now.error_message) <= 300)


def test_connector_errors_of_a_running_pipeline() -> None:
    """Their number comes from `connectors` or from the runtime's details, and is absent where neither says it."""
    numbers = [
        read_pipeline(recording(name).json).gauges.get("connector_errors")
        for name in ("04-life-running-swc", "04-life-details-changed-status", "04-life-stopped-status")
    ]
    assert [0, 7, None] == numbers


def test_both_selectors_give_the_same_events() -> None:
    """An event is the same read with `all` and with `status`."""
    short, long = history("04-life-events2-status"), history("04-life-events2-all")
    assert [read_event(msgspec.json.encode(event)) for event in short] == [
        read_event(msgspec.json.encode(event)) for event in long
    ]
