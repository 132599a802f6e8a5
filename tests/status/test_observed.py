"""Looks at a pipeline whose vendor keeps no history, and the vendor's own counts."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.status.model import Event, PipelineNow, Vocabulary
from exporter.status.tracker import History, Pipeline, begin, count_on, observe
from exporter.status.words import Words

VOCABULARY = Vocabulary(facets={"phase": ("A", "B")}, desired={}, recorded=False)
START = 1000


def pipeline(*, first_list: bool) -> tuple[Pipeline, History]:
    """Begin with a pipeline in A."""
    now = PipelineNow(
        id="p",
        name="p",
        version="",
        digest=b"",
        words={"phase": "A"},
        since_seconds={},
        desired={},
        state="running",
        in_desired_state=None,
        error_code=None,
        error_message="",
        wanted=False,
        changed_ns=0,
        created_ns=0,
    )
    return begin(now, VOCABULARY, Words(VOCABULARY.facets), at_seconds=START, first_list=first_list)


def look(number: int, word: str, at_seconds: float) -> Event:
    """Return a look as an event."""
    event_id = number.to_bytes(8, "big")
    at_ns = int(at_seconds * 10**9)
    return Event(at_ns, event_id, (word,), wanted=False, running=False, settled=False, has_error=False)


def entries(words: list[str]) -> int:
    """Return how many words differ from the one before them, the first from A."""
    return sum(before != word for before, word in zip(["A", *words], words, strict=False))


@given(st.lists(st.tuples(st.sampled_from("AB"), st.integers(-50, 50)), max_size=30), st.integers(1, 5))
def test_looks_count_in_the_order_in_which_they_were_made(looks: list[tuple[str, int]], at_once: int) -> None:
    """Whatever the vendor's clock says, and however many are counted at once."""
    counted, history = pipeline(first_list=True)
    words = Words(VOCABULARY.facets)
    observe(counted, history, (), VOCABULARY, words, horizon_seconds=START)
    events = [look(number, word, START + 100 + shift) for number, (word, shift) in enumerate(looks)]
    for start in range(0, len(events), at_once):
        part = events[start : start + at_once]
        observe(counted, history, part, VOCABULARY, words, horizon_seconds=START + 200)

    assert entries([word for word, _ in looks]) == sum(counted.transitions[0].values())
    assert (len(looks), 0) == (counted.events, counted.missed)
    assert 1 >= len(history.seen) or at_once > 1


def test_a_pipeline_that_appears_later_enters_its_first_word() -> None:
    """Its first look is an entry, whatever the list said before."""
    counted, history = pipeline(first_list=False)
    observe(counted, history, [look(0, "A", START)], VOCABULARY, Words(VOCABULARY.facets), horizon_seconds=START)
    assert {"A": 1} == counted.transitions[0]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_counts_only_grow(values: list[int]) -> None:
    """The total begins at the first value; each fall is a new beginning at zero."""
    counted, _ = pipeline(first_list=True)
    totals = []
    for value in values:
        before = counted.meters.get("records")
        shown = (before.total, before.last) if before is not None else None
        differs = count_on(counted, {"records": value})
        meter = counted.meters["records"]
        assert differs == (shown != (meter.total, meter.last))
        totals.append(meter.total)
    grown = [now - was if now >= was else now for was, now in pairwise(values)]

    assert values[0] + sum(grown) == totals[-1]
    assert sorted(totals) == totals


def test_a_name_that_is_not_shown_stays_as_it_is() -> None:
    """What a look does not tell has not fallen."""
    counted, _ = pipeline(first_list=True)
    assert [True, False, False, True] == [
        count_on(counted, counters) for counters in ({"records": 5.0}, {}, {"records": 5.0}, {"records": 6.0})
    ]
    assert 6.0 == counted.meters["records"].total
