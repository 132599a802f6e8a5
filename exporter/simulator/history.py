"""The monitor events of one pipeline: order, retention, late arrivals."""

from __future__ import annotations

from bisect import insort
from operator import attrgetter
from typing import Any

import msgspec

from exporter.simulator.body import Body
from exporter.simulator.identifiers import rfc3339

_encode = msgspec.json.Encoder().encode


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a pipeline is at a moment: everything that an event repeats. Words are free text, as unknown ones must be possible."""

    resources: str = "Stopped"
    resources_details: Any = None
    resources_desired: str = "Stopped"
    runtime: str | None = None
    runtime_details: Any = None
    runtime_desired: str | None = None
    error: Any = None
    program: str = "Pending"
    storage: str = "Cleared"
    storage_details: Any = None


class Event(msgspec.Struct, frozen=True, gc=False):
    """One recorded event. It shares its details with the pipeline's state, so 10,000 histories stay small."""

    recorded_us: int
    event_id: str
    state: State
    has_error: bool

    def document(self, selector: str) -> dict[str, Any]:
        """Return the event as the API shows it: 9 keys for `status`, 13 for `all`."""
        state = self.state
        everything = {
            "event_id": self.event_id,
            "recorded_at": rfc3339(self.recorded_us),
            "deployment_resources_status": state.resources,
            "deployment_resources_status_details": state.resources_details,
            "deployment_resources_desired_status": state.resources_desired,
            "deployment_runtime_status": state.runtime,
            "deployment_runtime_status_details": state.runtime_details,
            "deployment_runtime_desired_status": state.runtime_desired,
            "deployment_has_error": self.has_error,
            "deployment_error": state.error,
            "program_status": state.program,
            "storage_status": state.storage,
            "storage_status_details": state.storage_details,
        }
        if selector == "all":
            return everything
        for key in _ONLY_ALL:
            del everything[key]
        return everything


_ONLY_ALL = (
    "deployment_resources_status_details",
    "deployment_runtime_status_details",
    "deployment_error",
    "storage_status_details",
)
_order = attrgetter("recorded_us", "event_id")


class History:
    """The visible events, oldest first, and those held back to appear late, behind newer ones."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._held: list[Event] = []
        self._bodies: dict[str, Body] = {}

    def add(self, event: Event) -> None:
        """Make an event visible, at the place where its time belongs."""
        insort(self.events, event, key=_order)
        self._bodies.clear()

    def hold(self, event: Event) -> None:
        """Keep an event back until `reveal`."""
        self._held.append(event)

    def reveal(self, event: Event | None = None) -> None:
        """Make a held event visible, or all of them."""
        chosen = [held for held in self._held if event is None or held is event]
        self._held = [held for held in self._held if all(held is not other for other in chosen)]
        for held in chosen:
            self.add(held)

    def trim(self, retention: int) -> None:
        """Forget all but the newest `retention` events."""
        if len(self.events) > retention:
            del self.events[:-retention]
            self._bodies.clear()

    def clear(self) -> None:
        """Forget every event, as an upgraded server whose table was emptied would."""
        self.events.clear()
        self._bodies.clear()

    def find(self, event_id: str) -> Event | None:
        """Return the visible event with this id: `latest` is the newest."""
        if event_id == "latest":
            return self.events[-1] if self.events else None
        return next((event for event in self.events if event.event_id == event_id), None)

    def body(self, selector: str) -> Body:
        """Return the JSON of all visible events, newest first."""
        body = self._bodies.get(selector)
        if body is None:
            body = self._bodies[selector] = Body(_encode([event.document(selector) for event in reversed(self.events)]))
        return body
