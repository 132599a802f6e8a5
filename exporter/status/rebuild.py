"""A pipeline's history, made again from its counts, where the events themselves are lost with a corrupt journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.status.fold import NS, Base
from exporter.status.tracker import History

if TYPE_CHECKING:
    from exporter.status.tracker import Pipeline

_AFTER_ALL = b"\xff" * 16


def rebuild(pipeline: Pipeline, horizon_seconds: float, *, wanted: bool) -> History:
    """Return a history without events that goes on where the counts stand: what comes is counted, what came is not again.

    A late event from before is not counted any more, and a start that is under way has no duration.
    """
    if pipeline.baseline is not None or not any(pipeline.words):
        return History(Base.empty(len(pipeline.words)))
    if pipeline.frozen_seconds is not None:
        horizon_seconds = min(horizon_seconds, pipeline.frozen_seconds)
    base = Base(
        words=tuple(pipeline.words),
        fresh=False,
        entered_ns=list(pipeline.entered_ns),
        since_ns=int(horizon_seconds * NS),
        key=(pipeline.newest_ns, _AFTER_ALL),
        wanted=wanted,
        seconds=pipeline.seconds(horizon_seconds),
    )
    return History(base)
