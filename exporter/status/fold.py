"""Walk a pipeline's events in their order: what was entered when, how long it lasted, how long starts took.

    base ──▶ event ──▶ event ──▶ event        events sorted by (recorded_at, id), each id once
     │                             │
     └ all that came before        └ the walk's end: what holds now

The walk is from a `Base`, which stands for everything at or before it, over the events that are still kept. A late event is
inserted where it belongs and the walk made again: entries by word then only grow, because an insertion between equal
neighbours adds two entries or none, and between unlike ones adds one or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from exporter.status.model import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NS = 1_000_000_000

Words = tuple[str | None, ...]


class Seen(msgspec.Struct, array_like=True, frozen=True):
    """An event that has been counted. `gap`: the vendor had dropped events before it that nobody read."""

    event: Event
    gap: bool = False


class Base(msgspec.Struct, array_like=True):
    """What holds after the last event that is no longer kept, or at the moment when counting starts."""

    words: Words
    """By facet; meaningless while `fresh`."""
    fresh: bool
    """No event came before: the first one enters all its words."""
    entered_ns: list[int]
    """By facet: when the word was entered, 0 where nobody knows."""
    since_ns: int
    """Time in the words is credited from here on."""
    key: tuple[int, bytes] = (0, b"")
    """Of the last event it stands for: one at or before it is never counted."""
    asked_ns: int = 0
    """When the user asked for the start that is still under way, 0 where there is none."""
    wanted: bool = False
    seconds: list[dict[str, float]] = msgspec.field(default_factory=list)
    """By facet and word: the time credited before `since_ns`."""

    @classmethod
    def empty(cls, facets: int) -> Base:
        """Make the base of a pipeline of which nothing has been read."""
        return cls(
            words=(None,) * facets, fresh=True, entered_ns=[0] * facets, since_ns=0, seconds=[{} for _ in range(facets)]
        )


class Entry(NamedTuple):
    """An event entered a word of a facet (by number); `before` is None where there was no word before."""

    event: Event
    facet: int
    before: str | None
    word: str


class Start(NamedTuple):
    """A start that came to run: when the user asked for it, and the event that showed it running."""

    asked_ns: int
    event_id: bytes
    seconds: float


class Walk(NamedTuple):
    """The outcome of a walk: where it ended, and what happened on the way."""

    end: Base
    entries: list[Entry]
    starts: list[Start]


def walk(base: Base, seen: Sequence[Seen], horizon_ns: int, label: Callable[[int, str], str]) -> Walk:
    """Walk from a base over events in their order.

    Time is credited under `label(facet, word)`. No time is credited beyond `horizon_ns`: events after it, which a vendor's
    clock that is ahead can give, last no time yet.
    """
    end = msgspec.structs.replace(base, entered_ns=list(base.entered_ns), seconds=[dict(part) for part in base.seconds])
    entries: list[Entry] = []
    starts: list[Start] = []
    for event, gap in ((one.event, one.gap) for one in seen):
        _credit(end, event, horizon_ns, label)
        _enter(end, event, entries)
        start = _start(end, event, gap=gap)
        if start is not None:
            starts.append(start)
        end.words, end.fresh, end.key = event.words, False, event.key
    return Walk(end, entries, starts)


def _credit(end: Base, event: Event, horizon_ns: int, label: Callable[[int, str], str]) -> None:
    """Credit the time up to an event to the words that held until then."""
    until_ns = min(event.at_ns, max(horizon_ns, end.since_ns))
    if end.fresh:
        end.since_ns = until_ns
    lasted = (until_ns - end.since_ns) / NS
    if lasted <= 0:
        return
    end.since_ns = until_ns
    for facet, word in enumerate(end.words):
        if word is not None:
            name = label(facet, word)
            end.seconds[facet][name] = end.seconds[facet].get(name, 0.0) + lasted


def _enter(end: Base, event: Event, entries: list[Entry]) -> None:
    """Note the words that differ from the ones before: no value is no word, but a word after it is entered anew."""
    if event.words == end.words and not end.fresh:
        return
    for facet, word in enumerate(event.words):
        before = None if end.fresh else end.words[facet]
        if word == before and not end.fresh:
            continue
        end.entered_ns[facet] = event.at_ns if word is not None else 0
        if word is not None:
            entries.append(Entry(event, facet, before, word))


def _start(end: Base, event: Event, *, gap: bool) -> Start | None:
    """Follow a start from asked-to-run to running; return it when it is done.

    A start that settles elsewhere (into Paused, as asked) or is called off has no duration, nor has one with a gap in it.
    """
    if gap or not event.wanted:
        end.asked_ns = 0
    elif not end.wanted and not (end.fresh and event.running):
        end.asked_ns = event.at_ns
    end.wanted = event.wanted
    if not end.asked_ns or not (event.running or event.settled):
        return None
    asked_ns, end.asked_ns = end.asked_ns, 0
    return Start(asked_ns, event.id, max(event.at_ns - asked_ns, 0) / NS) if event.running else None
