"""A pipeline's history: what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from exporter.providers.base import Reading
from exporter.providers.feldera._values import word
from exporter.providers.feldera._words import RUNNING
from exporter.providers.http import decode_json
from exporter.providers.times import parse_rfc3339_ns
from exporter.status.model import Event

if TYPE_CHECKING:
    from exporter.providers.http import Answer


class _EventAnswer(msgspec.Struct):
    """The fields of an event that are used; both selectors have them."""

    event_id: str
    recorded_at: str
    deployment_resources_status: str
    deployment_resources_desired_status: str
    program_status: str
    storage_status: str
    deployment_runtime_status: str | None = None
    deployment_runtime_desired_status: str | None = None
    deployment_has_error: bool = False


def read_events(answer: Answer) -> Reading:
    """Read the events of an answer. One that cannot be read is left out and counted."""
    events, malformed = [], 0
    for entry in decode_json(answer, list[msgspec.Raw]):
        try:
            events.append(read_event(entry))
        except (ValueError, msgspec.MsgspecError, RecursionError):
            malformed += 1
    return Reading(events, malformed)


def read_event(entry: msgspec.Raw | bytes) -> Event:
    """Read one event, of either selector. Raises ValueError or msgspec.MsgspecError when it is not one."""
    found = msgspec.json.decode(entry, type=_EventAnswer)
    runtime = word(found.deployment_runtime_status)
    return Event(
        at_ns=parse_rfc3339_ns(found.recorded_at),
        id=UUID(found.event_id).bytes,
        words=(
            word(found.deployment_resources_status),
            runtime,
            word(found.program_status),
            word(found.storage_status),
        ),
        wanted=found.deployment_resources_desired_status == "Provisioned",
        running=runtime in RUNNING,
        settled=runtime is not None and runtime == found.deployment_runtime_desired_status,
        has_error=found.deployment_has_error,
    )
