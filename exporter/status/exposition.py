"""All series of all sources, joined by family at the scrape.

    sources ─▶ pipelines ─▶ Series (lines by family)          written by the pollers, whole Series at a time
                               │
    scrape: for each family: header, then the lines of every pipeline

A Series is never changed once it is here, but for its `up`: a scrape sees each pipeline either before or after a change.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exporter.status import families
from exporter.status.gzipped import Group
from exporter.status.lines import encode, label_pairs, number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from exporter.status.families import Family
    from exporter.status.log_series import LogSeries
    from exporter.status.model import Account, Component
    from exporter.status.series import Series

STALE_INTERVALS: Final = 5
"""For so many intervals after its last success a source's gauges stay as last known."""


@dataclass(slots=True)
class SourceSeries:
    """One source: its own gauges and the series of its pipelines by id. `lock` guards `pipelines`."""

    provider: str
    name: str
    stale_after_seconds: float
    up: bool = False
    last_success_seconds: float | None = None
    components: Sequence[Component] = ()
    account: Account | None = None
    horizon_seconds: float = 0.0
    """Time in a status is credited up to here: the last successful list that is committed."""
    pipelines: dict[str, Series] = field(default_factory=dict)
    logs: dict[str, LogSeries] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_stale(self, now_seconds: float) -> bool:
        """Whether what was last known of now is too old to be shown."""
        last = self.last_success_seconds
        return last is None or now_seconds - last > self.stale_after_seconds

    def replace(self, changed: dict[str, Series], gone: Collection[str], horizon_seconds: float) -> None:
        """Put in what changed, take out what is gone, and credit time up to a later moment: all at once.

        The lines of a pipeline say up to when its time may grow: with a new horizon and old lines it would fall again.
        """
        with self.lock:
            self.pipelines.update(changed)
            for pipeline_id in gone:
                self.pipelines.pop(pipeline_id, None)
            self.horizon_seconds = horizon_seconds

    def set_all_up(self, *, up: bool) -> None:
        """Set the `up` of every pipeline."""
        with self.lock:
            for series in self.pipelines.values():
                series.up = up

    def snapshot(self) -> tuple[list[Series], float]:
        """Return the series as they are at this moment, and the horizon that goes with them."""
        with self.lock:
            return list(self.pipelines.values()), self.horizon_seconds


class Exposition:
    """The metrics of everything observed, in either format."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sources: dict[str, SourceSeries] = {}

    def set_sources(self, sources: Collection[SourceSeries]) -> None:
        """Say which sources there are."""
        self._sources = {source.name: source for source in sources}

    def groups(self, *, openmetrics: bool, only: Collection[str] | None = None) -> list[Group]:
        """Return the lines of the exposition in their order, without an end mark; `only` these sources."""
        now = self._clock()
        sources = [source for name, source in self._sources.items() if only is None or name in only]
        groups: list[Group] = []
        for family in families.SOURCE_FAMILIES:
            lines = [encode(_source_lines(source, family, now)) for source in sources]
            _append(groups, family, [Group(None, lines)], openmetrics=openmetrics)
        snapshots = [(source, source.snapshot()) for source in sources]
        for family in families.PIPELINE_FAMILIES:
            found = []
            for source, (pipelines, horizon) in snapshots:
                found += _pipeline_groups(source, pipelines, family, now, horizon, openmetrics=openmetrics)
            _append(groups, family, found, openmetrics=openmetrics)
        return groups

    def parts(self, *, openmetrics: bool, only: Collection[str] | None = None) -> list[bytes]:
        """Return the same as a flat list."""
        return [part for group in self.groups(openmetrics=openmetrics, only=only) for part in group.lines]


def _append(groups: list[Group], family: Family, found: Sequence[Group], *, openmetrics: bool) -> None:
    """Add a family with its header; one without lines is left out."""
    if any(any(group.lines) for group in found):
        groups.append(Group((family,), [family.header(openmetrics=openmetrics)]))
        groups += found


def _pipeline_groups(
    source: SourceSeries, pipelines: Sequence[Series], family: Family, now: float, horizon: float, *, openmetrics: bool
) -> list[Group]:
    key = family, source.name
    if family is families.UP:
        return [Group(key, [series.up_lines[series.up] for series in pipelines])]
    if family is families.SECONDS:
        # Those that move come after all that stand still, so that these can be kept compressed.
        seconds = [series.seconds for series in pipelines if series.seconds is not None]
        return [
            Group(key, [one.still[openmetrics] for one in seconds]),
            Group(None, [one.moving(horizon, openmetrics=openmetrics) for one in seconds]),
        ]
    if family.scope == "log":
        with source.lock:
            logs = list(source.logs.values())
        return [Group(key, [one.lines(family)[openmetrics] for one in logs])]
    if family.scope == "now":
        return [] if source.is_stale(now) else [Group(key, [series.now.get(family, b"") for series in pipelines])]
    return [Group(key, [series.kept[family][openmetrics] for series in pipelines if family in series.kept])]


def _source_lines(source: SourceSeries, family: Family, now: float) -> str:
    labels = label_pairs({"provider": source.provider, "source": source.name})
    if family is families.SOURCE_UP:
        return f"{family.name}{{{labels}}} {int(source.up)}\n"
    if family is families.SOURCE_LAST_SUCCESS:
        last = source.last_success_seconds
        return "" if last is None else f"{family.name}{{{labels}}} {number(last)}\n"
    if source.is_stale(now):
        return ""
    if family is families.SOURCE_COMPONENT:
        return "".join(
            f"{family.name}{{{labels},{label_pairs({'component': part.name})}}} {int(part.healthy)}\n"
            for part in source.components
        )
    if source.account is None:
        return ""
    values = source.account.usage if family is families.ACCOUNT_USAGE else source.account.limits
    return "".join(
        f"{family.name}{{{labels},{label_pairs({'resource': resource})}}} {number(value)}\n"
        for resource, value in values.items()
    )
