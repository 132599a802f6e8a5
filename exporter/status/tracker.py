"""Count what happened to one pipeline: every recorded event once, in any order of arrival, over restarts.

    new list entry ─▶ begin()            zeros, or the baseline of a source's first list
    history read   ─▶ merge()            new events counted; late ones where they belong; gaps noticed
    each list      ─▶ seconds(horizon)   time in the statuses, never falling

`Pipeline` is what the journal keeps in its row and what stays in memory; `History`, the events themselves, is loaded
only to merge. Both are changed together and committed together.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exporter.status.fold import NS, Base, Entry, Seen, walk
from exporter.status.histogram import BUCKETS_SECONDS, Histogram
from exporter.status.job_counts import JobCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.status.fold import Start
    from exporter.status.model import Event, PipelineNow, Vocabulary
    from exporter.status.words import Words

START_BUCKETS: Final = BUCKETS_SECONDS
"""Upper bounds of the histogram of start durations."""

MAX_KEPT: Final = 10_000
"""So many events of one pipeline are kept at most, whatever the vendor sends."""

MAX_ENTRIES: Final = 1000
"""A merge reports at most so many entries one by one; it counts all."""


class Open(msgspec.Struct, array_like=True, frozen=True):
    """A word that still holds: `credited` seconds up to `since_seconds`, growing since then. No label: no word."""

    label: str | None
    credited: float
    since_seconds: float


class Meter(msgspec.Struct, array_like=True):
    """A count of the vendor's that may start anew: what is shown goes on."""

    total: float
    last: float
    """The vendor's newest value."""


class Pipeline(msgspec.Struct):
    """The counts of one pipeline, and what is needed to go on counting."""

    id: str
    name: str
    began_seconds: float
    """When counting began, by the exporter's clock: the `_created` of its counters."""
    words: tuple[str | None, ...]
    """By facet: after the newest event, or as the list said when counting began."""
    entered_ns: list[int]
    transitions: list[dict[str, int]]
    credited: list[dict[str, float]]
    """By facet and label: the time shown so far, of the words that do not hold any more."""
    open: list[Open]
    baseline: PipelineBaseline | None = None
    """There while the history that lies before the start of counting has not been read."""
    events: int = 0
    missed: int = 0
    starts: Histogram = msgspec.field(default_factory=Histogram)
    newest_ns: int = 0
    digest: bytes = b""
    """Of the list's entry when the history was last read: another one means that there are new events."""
    frozen_seconds: float | None = None
    """Something changed that has not been read: no time is credited after this moment until it is."""
    recheck_seconds: float | None = None
    """When to read the history once more, for late events."""
    jobs: dict[str, JobCounts] = msgspec.field(default_factory=dict)
    """What has been counted of its jobs, by kind."""
    meters: dict[str, Meter] = msgspec.field(default_factory=dict)
    """The vendor's own counts, by name."""

    def seconds(self, horizon_seconds: float) -> list[dict[str, float]]:
        """Return the time in each status up to a moment (the last successful list), by facet and label."""
        if self.frozen_seconds is not None:
            horizon_seconds = min(horizon_seconds, self.frozen_seconds)
        result = [dict(facet) for facet in self.credited]
        for facet, now in zip(result, self.open, strict=True):
            if now.label is not None:
                grown = now.credited + max(0.0, horizon_seconds - now.since_seconds)
                facet[now.label] = max(facet.get(now.label, 0.0), grown)
        return result


class PipelineBaseline(msgspec.Struct, frozen=True):
    """What a source's first list said of a pipeline: the line between history and what is counted."""

    words: tuple[str | None, ...]
    dated: tuple[bool, ...]
    """By facet: whether the list gives the time of its last change."""
    wanted: bool
    changed_ns: int
    created_ns: int
    seen_seconds: float


class History(msgspec.Struct):
    """The events of one pipeline that are kept, oldest first, and what came before them."""

    base: Base
    seen: list[Seen] = msgspec.field(default_factory=list)

    @property
    def newest_key(self) -> tuple[int, bytes]:
        """The newest event read, kept or not; (0, b"") where there is none."""
        return self.seen[-1].event.key if self.seen else self.base.key


class Merged(NamedTuple):
    """What a merge found."""

    new_events: int
    gap: bool
    entries: list[Entry]
    """The entries that were counted by it, oldest first, at most MAX_ENTRIES of them."""


def begin(
    now: PipelineNow, vocabulary: Vocabulary, words: Words, *, at_seconds: float, first_list: bool
) -> tuple[Pipeline, History]:
    """Start to count a pipeline that the list shows for the first time.

    On a source's first list its history is a baseline and time counts from now on. A pipeline that appears later counts
    from its first event.
    """
    facets = tuple(vocabulary.facets)
    listed = tuple(now.words.get(facet) for facet in facets)
    pipeline = Pipeline(
        id=now.id,
        name=now.name,
        began_seconds=at_seconds,
        words=(None,) * len(facets),
        entered_ns=[0] * len(facets),
        transitions=[{} for _ in facets],
        credited=[{} for _ in facets],
        open=[Open(None, 0.0, 0.0) for _ in facets],
    )
    history = History(base=Base.empty(len(facets)))
    if first_list:
        pipeline.words = listed
        dated = tuple(facet in now.since_seconds for facet in facets)
        pipeline.baseline = PipelineBaseline(listed, dated, now.wanted, now.changed_ns, now.created_ns, at_seconds)
        pipeline.open = [
            Open(None if word is None else words.label(facet, word), 0.0, at_seconds)
            for facet, word in zip(facets, listed, strict=True)
        ]
    return pipeline, history


def merge(
    pipeline: Pipeline,
    history: History,
    events: Sequence[Event],
    vocabulary: Vocabulary,
    words: Words,
    *,
    horizon_seconds: float,
    whole: bool = True,
    recorded: bool = True,
) -> Merged:
    """Take in a reading of the vendor's whole retained history, in any order and with repeats, and count what is new.

    Changes both the pipeline and its history. An empty reading changes nothing but the baseline. A reading is not
    `whole` when some of its events could not be read. What the vendor has not `recorded` has no gaps.
    """
    facets = tuple(vocabulary.facets)

    def label(facet: int, word: str) -> str:
        return words.label(facets[facet], word)

    events = sorted({event.id: event for event in events}.values(), key=lambda event: event.key)
    follows = recorded and pipeline.baseline is None
    if pipeline.baseline is not None:
        _take_baseline(pipeline, pipeline.baseline, history, events, label, whole=whole)
    horizon_ns = int(horizon_seconds * NS)
    floor = history.base.key
    known = {one.event.id for one in history.seen}
    new = [event for event in events if event.key > floor and event.id not in known]
    gap = follows and bool(new) and is_gap(history, events)
    before = walk(history.base, history.seen, horizon_ns, label)
    first = new[0].key if gap else None
    kept = sorted(
        [*history.seen, *(Seen(event, gap=event.key == first) for event in new)], key=lambda one: one.event.key
    )
    after = walk(history.base, kept, horizon_ns, label)

    entries = _new_entries(before.entries, after.entries)
    for entry in entries:
        name = label(entry.facet, entry.word)
        pipeline.transitions[entry.facet][name] = pipeline.transitions[entry.facet].get(name, 0) + 1
    for start in _new_starts(before.starts, after.starts):
        pipeline.starts.observe(start.seconds)
    pipeline.events += len(new)
    pipeline.missed += gap
    pipeline.newest_ns = max([pipeline.newest_ns, *(event.at_ns for event in new)])
    _credit(pipeline, after.end, horizon_seconds, label)
    history.seen = kept
    _forget(history, events, horizon_ns, label)
    return Merged(len(new), gap, entries[-MAX_ENTRIES:])


def observe(
    pipeline: Pipeline,
    history: History,
    looks: Sequence[Event],
    vocabulary: Vocabulary,
    words: Words,
    *,
    horizon_seconds: float,
) -> Merged:
    """Count looks at a pipeline whose vendor keeps no history, in the order in which they were made.

    Each is an event. One with a time before the last one's, which a vendor's clock can give, is put right after that.
    """
    newest_ns = history.newest_key[0]
    events = []
    for look in looks:
        newest_ns = max(look.at_ns, newest_ns + 1)
        events.append(look._replace(at_ns=newest_ns))
    return merge(pipeline, history, events, vocabulary, words, horizon_seconds=horizon_seconds, recorded=False)


def count_on(pipeline: Pipeline, counters: Mapping[str, float]) -> bool:
    """Take in the vendor's own counts: they begin at the first value seen and only grow. Returns whether any differs.

    A value that fell was counted anew from zero, so all of it is new.
    """
    differs = False
    for name, value in counters.items():
        meter = pipeline.meters.get(name)
        if meter is None:
            pipeline.meters[name] = Meter(value, value)
        elif value != meter.last:
            meter.total += value - meter.last if value > meter.last else value
            meter.last = value
        else:
            continue
        differs = True
    return differs


def is_gap(history: History, events: Sequence[Event]) -> bool:
    """Whether the vendor no longer has the last event that was read, and all that it has is newer."""
    last = history.newest_key
    return last[0] > 0 and bool(events) and all(event.key > last for event in events)


def baseline_length(events: Sequence[Event], listed: PipelineBaseline) -> int:
    """Return how many of the oldest events lie before the list that counting starts with.

    The list is read before the events, and maybe long before: what the vendor recorded in between counts already. The
    list's own times tell where it stands among the events. Where they do not fit the events, all are taken as older.
    """
    if not events:
        return 0

    def fits(event: Event) -> bool:
        pairs = zip(event.words, listed.words, listed.dated, strict=True)
        return event.wanted == listed.wanted and all(word == there for word, there, dated in pairs if dated)

    last = max((number for number, event in enumerate(events) if event.at_ns <= listed.changed_ns), default=-1)
    if not any(listed.dated) or not fits(events[max(last, 0)]):
        return len(events)
    later = (number for number in range(last + 1, len(events)) if not fits(events[number]))
    end = next(later, len(events))
    # The other facets have no times: they were as listed at the first event that says so, and until one says otherwise.
    same = [event.words == listed.words for event in events[max(last, 0) : end]]
    if True not in same:
        return end
    first = same.index(True)
    return max(last, 0) + first + same[first:].index(False) if False in same[first:] else end


def _take_baseline(
    pipeline: Pipeline,
    listed: PipelineBaseline,
    history: History,
    events: list[Event],
    label: Callable[[int, str], str],
    *,
    whole: bool,
) -> None:
    """Make the base of a pipeline from the part of its history that is not counted."""
    old = events[: baseline_length(events, listed)]
    seen_ns = int(listed.seen_seconds * NS)
    base = walk(Base.empty(len(listed.words)), [Seen(event) for event in old], 0, label).end
    if old and old[0].at_ns > listed.created_ns + NS:
        # The vendor has dropped the beginning: since when the oldest words hold is not known.
        oldest = old[0].at_ns
        base.entered_ns = [0 if entered == oldest else entered for entered in base.entered_ns]
    if not old:
        base.words, base.wanted = listed.words, listed.wanted
    if not old or not whole:
        # What is missing here and comes later is as old as the list says that the newest change is.
        base.key = max(base.key, (listed.changed_ns, b"\xff" * 16))
    base.fresh = False
    base.since_ns = seen_ns
    base.seconds = [{} for _ in listed.words]
    history.base = base
    pipeline.baseline = None
    pipeline.newest_ns = max((event.at_ns for event in old), default=0)


def _new_entries(before: Sequence[Entry], after: Sequence[Entry]) -> list[Entry]:
    """Return the entries by which `after` has more of a word than `before`, oldest first.

    An entry that only moved to an earlier event is not among them: counts go by word, and never down.
    """
    more = Counter((entry.facet, entry.word) for entry in after)
    more.subtract((entry.facet, entry.word) for entry in before)
    known = {(entry.facet, entry.event.id) for entry in before}
    result = []
    for entry in after:
        word = (entry.facet, entry.word)
        if more[word] > 0 and (entry.facet, entry.event.id) not in known:
            more[word] -= 1
            result.append(entry)
    return result


def _new_starts(before: Sequence[Start], after: Sequence[Start]) -> list[Start]:
    """Return the starts that are new: a late event can move a start's beginning or end, which is no other start."""
    asked = {start.asked_ns for start in before}
    ended = {start.event_id for start in before}
    return [start for start in after if start.asked_ns not in asked and start.event_id not in ended]


def _credit(pipeline: Pipeline, end: Base, horizon_seconds: float, label: Callable[[int, str], str]) -> None:
    """Show the time that the walk credits; what it takes away stays shown and is withheld from the next credits."""
    shown = pipeline.seconds(horizon_seconds)
    pipeline.frozen_seconds = None
    opened = []
    for facet, (word, seconds) in enumerate(zip(end.words, end.seconds, strict=True)):
        for name, value in seconds.items():
            shown[facet][name] = max(shown[facet].get(name, 0.0), value)
        name_now = None if word is None or end.fresh else label(facet, word)
        opened.append(Open(name_now, seconds.get(name_now or "", 0.0), end.since_ns / NS))
    pipeline.credited = shown
    pipeline.open = opened
    if not end.fresh:
        pipeline.words, pipeline.entered_ns = end.words, end.entered_ns


def _forget(history: History, events: Sequence[Event], horizon_ns: int, label: Callable[[int, str], str]) -> None:
    """Let go of the events that the vendor no longer has: they can neither come again nor get late neighbours."""
    if not events:
        return
    oldest = events[0].key
    gone = max(len(history.seen) - MAX_KEPT, 0)
    while gone < len(history.seen) and history.seen[gone].event.key < oldest:
        gone += 1
    if gone:
        history.base = walk(history.base, history.seen[:gone], horizon_ns, label).end
        history.seen = history.seen[gone:]
