"""Every answer that was recorded from a real server gives what the contract says, and no surprise."""

from __future__ import annotations

import pytest

from tests.providers.recorded_asking import ask
from tests.providers.recorded_results import LOG_STREAMS, OTHER_METHODS, RESULTS, SUMMARIES, UNREADABLE
from tests.providers.recordings import names, recording
from tests.recordings import need_recordings

need_recordings()


def test_every_recording_has_its_place() -> None:
    """Each recording stands in exactly one table, and no table names one that is not there."""
    tables = [*SUMMARIES, *LOG_STREAMS, *OTHER_METHODS, *RESULTS, *UNREADABLE]
    assert names() == sorted(tables)


def test_what_is_not_asked_is_what_its_table_says() -> None:
    """Notes have no answer, streams are log lines, and the other methods are others."""
    assert {""} == {recording(name).status[:9].strip() for name in SUMMARIES}
    streams = [recording(name) for name in LOG_STREAMS]
    assert {"200"} == {one.status.split()[1] for one in streams}
    assert {True} == {"content-type: text/plain; charset=utf-8" in one.headers for one in streams}
    assert {"POST", "PATCH", "DELETE", "HEAD"} == {recording(name).method for name in OTHER_METHODS}
    assert {"GET"} == {recording(name).method for name in [*RESULTS, *UNREADABLE]}


@pytest.mark.parametrize(("name", "result"), RESULTS.items())
async def test_a_recorded_answer_is_understood(name: str, result: str) -> None:
    """Asked for as it was recorded, each answer is read or refused as documented."""
    assert result == await ask(recording(name))


@pytest.mark.parametrize(("name", "result"), UNREADABLE.items())
async def test_an_unreadable_answer_is_refused(name: str, result: str) -> None:
    """A compression that nobody asked for is a failure with a name."""
    assert await ask(recording(name)) in {"UnreachableError", result}
