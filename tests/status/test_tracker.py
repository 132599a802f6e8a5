"""Every recorded event is counted once, whatever the order of arrival."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.status.model import Event, PipelineNow, Vocabulary
from exporter.status.tracker import History, Pipeline, begin, merge
from exporter.status.words import Words

NS = 1_000_000_000
VOCABULARY = Vocabulary(
    facets={"resources": ("Stopped", "Provisioned"), "runtime": ("Initializing", "Running", "Paused")},
    desired={},
)


def event(
    at: float, resources: str, runtime: str | None = None, *, number: int = 0, wanted: bool | None = None
) -> Event:
    """Make an event at a second; `number` orders those of one moment."""
    return Event(
        at_ns=int(at * NS),
        id=int(at * 1000).to_bytes(8, "big") + number.to_bytes(8, "big"),
        words=(resources, runtime),
        wanted=resources == "Provisioned" if wanted is None else wanted,
        running=runtime == "Running",
        settled=runtime == "Paused",
        has_error=False,
    )


def listed(resources: str, runtime: str | None, *, since: float, created: float = 0.0) -> PipelineNow:
    """Make the list's entry of a pipeline whose newest change was at a second."""
    return PipelineNow(
        id="p1",
        name="orders",
        version="1",
        digest=b"",
        words={"resources": resources, "runtime": runtime},
        since_seconds={"resources": since} | ({"runtime": since} if runtime else {}),
        desired={},
        state="running",
        in_desired_state=True,
        error_code=None,
        error_message="",
        wanted=resources == "Provisioned",
        changed_ns=int(since * NS),
        created_ns=int(created * NS),
    )


class Tracked:
    """A pipeline under track, kept only as the journal would keep it."""

    def __init__(self, now: PipelineNow, *, at: float, first_list: bool) -> None:
        self.words = Words(VOCABULARY.facets)
        self.pipeline, self.history = begin(now, VOCABULARY, self.words, at_seconds=at, first_list=first_list)

    def restart(self) -> None:
        """Go through the journal's form, as a restart does."""
        self.pipeline = msgspec.msgpack.decode(msgspec.msgpack.encode(self.pipeline), type=Pipeline)
        self.history = msgspec.msgpack.decode(msgspec.msgpack.encode(self.history), type=History)

    def read(self, *events: Event, horizon: float = 1e6) -> list[tuple[str | None, str]]:
        """Merge one reading; return the entries that it counted."""
        merged = merge(self.pipeline, self.history, events, VOCABULARY, self.words, horizon_seconds=horizon)
        return [(entry.before, entry.word) for entry in merged.entries]

    @property
    def counts(self) -> dict[str, int]:
        """All transitions by word; the facets of these tests have no word in common."""
        return {word: count for facet in self.pipeline.transitions for word, count in facet.items()}


def new(created: float = 0.0) -> Tracked:
    """Track a pipeline that appears after the source's first list."""
    return Tracked(listed("Stopped", None, since=created), at=created, first_list=False)


def test_first_event_enters_its_words() -> None:
    """The first event of a pipeline that appears later enters its words; no value is not counted."""
    tracked = new()
    assert [(None, "Stopped")] == tracked.read(event(1, "Stopped"))
    assert {"Stopped": 1} == tracked.counts


def test_running_after_null_is_new() -> None:
    """Running after no runtime is a new entry."""
    tracked = new()
    tracked.read(event(1, "Provisioned", "Running"), event(2, "Stopped"), event(3, "Provisioned", "Running"))
    assert {"Provisioned": 2, "Stopped": 1, "Running": 2} == tracked.counts


def test_baseline_is_not_counted() -> None:
    """What the pipelines of the first list have behind them is read for times and not counted."""
    tracked = Tracked(listed("Provisioned", "Running", since=3), at=10, first_list=True)
    history = [event(1, "Stopped"), event(2, "Provisioned", "Initializing"), event(3, "Provisioned", "Running")]
    assert [] == tracked.read(*history)
    assert ({}, 0, 3 * NS) == (tracked.counts, tracked.pipeline.events, tracked.pipeline.newest_ns)
    assert [2 * NS, 3 * NS] == tracked.pipeline.entered_ns


def test_event_between_list_and_history_is_counted() -> None:
    """A transition recorded after the first list counts, though it is in the first reading of the history."""
    tracked = Tracked(listed("Provisioned", "Running", since=3), at=10, first_list=True)
    tracked.read(event(1, "Stopped"), event(3, "Provisioned", "Running"), event(11, "Provisioned", "Paused"))
    assert {"Paused": 1} == tracked.counts


def test_times_that_do_not_fit_make_all_history_baseline() -> None:
    """A list whose times say nothing about the events leaves nothing to count in the first reading."""
    tracked = Tracked(listed("Provisioned", "Running", since=0), at=10, first_list=True)
    assert [] == tracked.read(event(1, "Stopped"), event(3, "Provisioned", "Running"))


def test_no_gap_right_after_baseline() -> None:
    """The first reading cannot show a gap."""
    tracked = Tracked(listed("Provisioned", "Running", since=3), at=10, first_list=True)
    tracked.read(event(3, "Provisioned", "Running"), event(11, "Provisioned", "Paused"))
    assert 0 == tracked.pipeline.missed


def test_event_before_baseline_is_never_counted() -> None:
    """An event at or before the newest baseline event is never counted, however late it comes."""
    tracked = Tracked(listed("Stopped", None, since=5), at=10, first_list=True)
    tracked.read(event(5, "Stopped"))
    tracked.read(event(4, "Provisioned"), event(5, "Stopped"))
    assert {} == tracked.counts


@pytest.mark.parametrize(
    ("late", "added"),
    [
        ("Running", []),
        ("Paused", [("Running", "Paused"), ("Paused", "Running")]),
    ],
)
def test_late_event_between_equal_neighbours(late: str, added: list[tuple[str, str]]) -> None:
    """A late event equal to its neighbours adds nothing, unlike two equal neighbours it adds two."""
    tracked = new()
    first, last = event(1, "Provisioned", "Running"), event(3, "Provisioned", "Running", number=1)
    tracked.read(first, last)
    assert added == tracked.read(first, event(2, "Provisioned", late), last)


def test_entry_that_moves_is_not_counted_again() -> None:
    """A late event that enters earlier what is counted already adds nothing."""
    tracked = new()
    first, last = event(1, "Provisioned", "Running"), event(3, "Provisioned", "Paused")
    tracked.read(first, last)
    assert [] == tracked.read(first, event(2, "Provisioned", "Paused"), last)
    assert 2 * NS == tracked.pipeline.entered_ns[1]


def test_gap_is_counted_and_so_is_the_entry_across_it() -> None:
    """When the last seen event is gone one gap is counted, and a status that differs across it."""
    tracked = new()
    tracked.read(event(1, "Stopped"))
    tracked.read(event(9, "Provisioned", "Running"))
    assert (1, {"Stopped": 1, "Provisioned": 1, "Running": 1}) == (tracked.pipeline.missed, tracked.counts)
    tracked.read(event(9, "Provisioned", "Running"))
    assert 1 == tracked.pipeline.missed


def test_trimmed_history_is_no_gap() -> None:
    """The vendor's trimming of old events is no gap as long as the last one read is there."""
    tracked = new()
    tracked.read(event(1, "Stopped"), event(2, "Stopped"))
    tracked.read(event(2, "Stopped"), event(3, "Provisioned"))
    assert (0, 1) == (tracked.pipeline.missed, len(tracked.history.seen) - 1)


def test_empty_reading_changes_nothing() -> None:
    """An empty answer neither forgets what was seen nor counts it again."""
    tracked = new()
    tracked.read(event(1, "Stopped"))
    tracked.read()
    tracked.read(event(1, "Stopped"))
    assert ({"Stopped": 1}, 1, 0) == (tracked.counts, tracked.pipeline.events, tracked.pipeline.missed)


def test_time_in_status_follows_the_events() -> None:
    """Time goes to the words between events, and to the newest up to the last list."""
    tracked = new()
    tracked.read(event(10, "Stopped"), event(14, "Provisioned", "Running"), horizon=20)
    assert [{"Stopped": 4.0, "Provisioned": 6.0}, {"Running": 6.0}] == tracked.pipeline.seconds(20)
    assert {"Running": 16.0} == tracked.pipeline.seconds(30)[1]


def test_time_starts_at_the_baseline() -> None:
    """No time before the first list is credited."""
    tracked = Tracked(listed("Provisioned", "Running", since=3), at=100, first_list=True)
    assert {"Running": 5.0} == tracked.pipeline.seconds(105)[1]
    tracked.read(event(3, "Provisioned", "Running"), horizon=105)
    assert {"Running": 5.0} == tracked.pipeline.seconds(105)[1]


def test_time_never_falls() -> None:
    """What a late event takes away stays shown and is withheld from the next credits."""
    tracked = new()
    first = event(0.001, "Provisioned", "Running")
    tracked.read(first, horizon=100)
    tracked.read(first, event(40, "Provisioned", "Paused"), horizon=100)
    shown = tracked.pipeline.seconds(100)[1]
    assert shown == pytest.approx({"Running": 99.999, "Paused": 60.0})
    back = event(100, "Provisioned", "Running")
    tracked.read(first, event(40, "Provisioned", "Paused"), back, horizon=130)
    assert pytest.approx(99.999) == tracked.pipeline.seconds(130)[1]["Running"]
    assert pytest.approx(139.999) == tracked.pipeline.seconds(200)[1]["Running"]


def test_frozen_time_stands_still_until_the_history_is_read() -> None:
    """While a change has not been read no time is credited, and it is made up for afterwards."""
    tracked = new()
    tracked.read(event(0.001, "Provisioned", "Running"), horizon=10)
    tracked.pipeline.frozen_seconds = 10
    assert pytest.approx(9.999) == tracked.pipeline.seconds(50)[1]["Running"]
    tracked.read(event(0.001, "Provisioned", "Running"), event(30, "Provisioned", "Paused"), horizon=50)
    assert tracked.pipeline.seconds(50)[1] == pytest.approx({"Running": 29.999, "Paused": 20.0})


def test_start_duration_from_asked_to_running() -> None:
    """A start lasts from the event that shows the wish to the one that shows it running."""
    tracked = new()
    tracked.read(
        event(1, "Stopped"),
        event(2, "Stopped", wanted=True),
        event(4, "Provisioned", "Initializing"),
        event(9, "Provisioned", "Running"),
        event(10, "Provisioned", "Running", number=1),
    )
    assert (7.0, 1, 1) == (
        tracked.pipeline.starts.sum,
        sum(tracked.pipeline.starts.counts),
        tracked.pipeline.starts.counts[3],
    )


def test_start_into_paused_has_no_duration() -> None:
    """A start that ends where the user wants it, in Paused, is no start into running, nor is the later resume."""
    tracked = new()
    tracked.read(
        event(1, "Stopped"),
        event(2, "Stopped", wanted=True),
        event(3, "Provisioned", "Paused"),
        event(9, "Provisioned", "Running"),
    )
    assert 0 == sum(tracked.pipeline.starts.counts)


def test_start_over_the_baseline_and_trimming() -> None:
    """A start asked for before counting began, or by an event the vendor has dropped since, still has its duration."""
    tracked = Tracked(listed("Stopped", None, since=2), at=3, first_list=True)
    asked, starting = event(4, "Stopped", wanted=True), event(5, "Provisioned", "Initializing")
    tracked.read(event(1, "Stopped"), event(2, "Stopped", number=1), asked, starting)
    tracked.read(starting)
    tracked.restart()
    tracked.read(starting, event(10, "Provisioned", "Running"))
    assert 6.0 == tracked.pipeline.starts.sum


def test_late_running_is_no_second_start() -> None:
    """A late event that shows it running earlier moves the end of a start; it is still one start."""
    tracked = new()
    events = [event(1, "Stopped"), event(2, "Stopped", wanted=True), event(9, "Provisioned", "Running")]
    tracked.read(*events)
    tracked.read(*events, event(8, "Provisioned", "Running", number=1))
    assert (1, 7.0) == (sum(tracked.pipeline.starts.counts), tracked.pipeline.starts.sum)


def test_history_that_was_empty_at_first_is_not_counted_later() -> None:
    """Events from before the first list that come only with the second reading are not counted."""
    tracked = Tracked(listed("Provisioned", "Running", since=3), at=10, first_list=True)
    tracked.read()
    tracked.read(event(1, "Stopped"), event(3, "Provisioned", "Running"), event(11, "Provisioned", "Paused"))
    assert ({"Paused": 1}, 1) == (tracked.counts, tracked.pipeline.events)


def test_storage_that_changed_after_the_first_list_is_counted() -> None:
    """Facets without times are as listed at the first event that says so; what differs after it is new."""
    tracked = Tracked(
        replace(listed("Stopped", None, since=3), since_seconds={"resources": 3.0}), at=10, first_list=True
    )
    tracked.read(event(3, "Stopped"), event(11, "Stopped", "Paused", wanted=False), event(12, "Stopped"))
    assert {"Paused": 1} == tracked.counts


@given(data=st.data())
def test_trimmed_histories_count_all_that_was_read(data: st.DataObject) -> None:
    """With a vendor that keeps few events, late ones and a moving horizon, nothing falls and nothing is counted twice."""
    tracked, now, made = new(), 0.0, list[Event]()
    visible: list[Event] = []
    shown: list[dict[str, float]] = [{}, {}]
    words = st.tuples(st.sampled_from(["Stopped", "Provisioned"]), st.sampled_from([None, "Initializing", "Running"]))
    for _ in range(data.draw(st.integers(2, 6))):
        now += 15
        for age, pair in data.draw(st.lists(st.tuples(st.integers(0, 30), words), max_size=4)):
            made.append(event(max(now - age, 1), *pair, number=len(made)))
            visible.append(made[-1])
        visible = sorted(visible)[-data.draw(st.integers(3, 8)) :]
        tracked.read(*visible, horizon=now)
        tracked.restart()
        seconds = tracked.pipeline.seconds(now)
        assert all(seconds[f][word] >= value for f, facet in enumerate(shown) for word, value in facet.items())
        shown = seconds
    assert tracked.pipeline.events <= len(made)
    if tracked.pipeline.events == len(made) and not tracked.pipeline.missed:
        assert reference(made) == Counter(tracked.counts)


def reference(events: list[Event]) -> Counter[str]:
    """Count entries the plain way: over all events in their order."""
    counts: Counter[str] = Counter()
    before: tuple[str | None, ...] = (None, None)
    for one in sorted(set(events)):
        for old, word in zip(before, one.words, strict=True):
            if word is not None and word != old:
                counts[word] += 1
        before = one.words
    return counts


@given(data=st.data())
def test_any_order_of_arrival_gives_the_same_counts(data: st.DataObject) -> None:
    """Late, repeated and trimmed events, read over restarts, count as they would when read at once."""
    words = st.tuples(st.sampled_from(["Stopped", "Provisioned"]), st.sampled_from([None, "Initializing", "Running"]))
    drawn = data.draw(st.lists(st.tuples(st.integers(1, 8), words), min_size=1, max_size=14))
    events = [event(at, *pair, number=number) for number, (at, pair) in enumerate(drawn)]
    order = data.draw(st.permutations(events))
    tracked, shown, seconds = new(), Counter[str](), [dict[str, float](), dict[str, float]()]
    visible: list[Event] = []
    while order:
        visible += [order.pop() for _ in range(min(len(order), data.draw(st.integers(1, 4))))]
        tracked.read(*random.Random(0).sample(visible, len(visible)))
        tracked.restart()
        assert all(tracked.counts.get(word, 0) >= count for word, count in shown.items())
        shown = Counter(tracked.counts)
        now = tracked.pipeline.seconds(1e6)
        assert all(now[f][word] >= value for f, facet in enumerate(seconds) for word, value in facet.items())
        seconds = now
    assert reference(events) == Counter(tracked.counts)
    assert (len(events), 0) == (tracked.pipeline.events, tracked.pipeline.missed)
