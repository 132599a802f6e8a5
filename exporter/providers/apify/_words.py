"""Apify's words, and one job as an answer shows it."""

from __future__ import annotations

import math
from typing import Any, Final

from exporter.providers.apify._api import time_ns
from exporter.status.model import JobSeen, Vocabulary

ACTIVE: Final = ("READY", "RUNNING", "TIMING-OUT", "ABORTING")
WORDS: Final = ("READY", "RUNNING", "SUCCEEDED", "FAILED", "TIMING-OUT", "TIMED-OUT", "ABORTING", "ABORTED")
ERRORS: Final = frozenset({"FAILED", "TIMED-OUT"})
KINDS: Final = ("run", "build")

VOCABULARY: Final = Vocabulary(
    facets=dict.fromkeys(KINDS, WORDS),
    desired={},
    errors=ERRORS,
    recorded=False,
    jobs=dict.fromkeys(KINDS, ACTIVE),
)

RESULTS: Final = {"SUCCEEDED": "success", "FAILED": "failure", "TIMED-OUT": "timeout", "ABORTED": "cancellation"}

STATES: Final = {
    "READY": "pending",
    "RUNNING": "running",
    "TIMING-OUT": "stopping",
    "ABORTING": "stopping",
    "ABORTED": "stopped",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED-OUT": "failed",
}

_ENDING = {"TIMING-OUT": "timeout", "ABORTING": "cancellation"}
_MAX_ID = 128
_MAX_WORD = 64


def read_job(kind: str, item: Any) -> JobSeen:
    """Read a run or a build; `pipeline_id` is the Actor as it is written there, or nothing. Raises ValueError."""
    if not isinstance(item, dict):
        raise ValueError(item)  # noqa: TRY004  (whatever is wrong with an item is one error)
    status, started, finished = item.get("status"), item.get("startedAt"), item.get("finishedAt")
    if not isinstance(status, str) or not status:
        raise ValueError(status)
    started_ns, finished_ns = time_ns(started), time_ns(finished)
    if (started is not None and not started_ns) or (finished is not None and not finished_ns):
        raise ValueError(started, finished)
    actor, build, stats = item.get("actId"), item.get("buildId"), item.get("stats")
    return JobSeen(
        kind=kind,
        id=read_id(item.get("id")),
        pipeline_id=actor if isinstance(actor, str) and len(actor) <= _MAX_ID else "",
        status=status if len(status) <= _MAX_WORD else status[:_MAX_WORD] + "…",
        result=result_of(status, has_ended=finished_ns > 0),
        started_ns=started_ns,
        finished_ns=finished_ns,
        compute_units=_figure(stats.get("computeUnits")) if isinstance(stats, dict) else None,
        cost_usd=_figure(item.get("usageTotalUsd")),
        build_id=build if isinstance(build, str) and len(build) <= _MAX_ID else "",
    )


def result_of(status: str, *, has_ended: bool) -> str:
    """Return how a job ended, empty where it has not: it has with a terminal status, or a time of its end."""
    if status in RESULTS:
        return RESULTS[status]
    return _ENDING.get(status, status.lower()[:_MAX_WORD]) if has_ended else ""


def read_id(value: Any) -> str:
    """Return an id. Raises ValueError when it is none."""
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_ID or not value.isprintable():
        raise ValueError(value)
    return value


def _figure(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None
