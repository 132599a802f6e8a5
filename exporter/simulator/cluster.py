"""The health of the server's own services, and the events that it keeps of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.simulator.identifiers import rfc3339

if TYPE_CHECKING:
    from exporter.simulator.world import World

SERVICES = ("api", "compiler", "runner")
STALE_AFTER_SECONDS = 1200
_UNCHANGED_SECONDS = 600
_MAX_EVENTS = 1_000
_MAX_AGE_SECONDS = 72 * 3600
_HEALTHY = "Healthy: The {} service responded successfully to the last health check."
_UNREACHABLE = (
    "Unreachable: Unable to connect to the {0} at http://127.0.0.1:28089/healthz. This likely means the service is "
    "not running, has crashed, or is not listening on the expected port. Underlying connection error: Connection "
    "refused (os error 111). Please ensure that the {0} is running and check its logs for details."
)
_NO_RESOURCES = "Resources information not available in Community edition."


@dataclass(frozen=True, slots=True)
class ClusterEvent:
    """One check that was recorded."""

    id: str
    recorded_us: int
    healthy: tuple[bool, ...]
    messages: tuple[str, ...]

    def document(self, selector: str, *, stale: bool | None = None) -> dict[str, Any]:
        """Return the event as the API shows it; `stale` is only in the newest one, of servers that know it."""
        document: dict[str, Any] = {"id": self.id, "recorded_at": rfc3339(self.recorded_us)}
        document["all_healthy"] = all(self.healthy)
        if stale is not None:
            document["stale"] = stale
        for service, healthy, message in zip(SERVICES, self.healthy, self.messages, strict=True):
            document[f"{service}_status"] = "Healthy" if healthy else "Unhealthy"
            if selector == "all":
                document[f"{service}_self_info"] = message
                document[f"{service}_resources_info"] = _NO_RESOURCES
        return document


class Cluster:
    """Three services that are healthy until told otherwise, and the monitor that writes it down."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._messages: dict[str, str] = {}
        self._frozen = False
        self._unchanged_us = dict.fromkeys(SERVICES, world.now_us)
        self.events: list[ClusterEvent] = []
        self.check()

    def fail(self, service: str, message: str | None = None) -> None:
        """Let a service fail its checks."""
        if service not in SERVICES:
            raise ValueError(f"{service!r} is no service: use one of {', '.join(SERVICES)}")
        self._messages[service] = _UNREACHABLE.format(service) if message is None else message
        self.check()

    def heal(self, service: str) -> None:
        """Let a service pass its checks again."""
        self._messages.pop(service, None)
        self.check()

    def freeze(self) -> None:
        """Stop the monitor: what was written stays and grows old."""
        self._frozen = True

    def thaw(self) -> None:
        """Start the monitor again."""
        self._frozen = False
        self.check()

    def forget(self) -> None:
        """Have no event at all, as at first boot; stops the monitor."""
        self._frozen = True
        self.events.clear()

    def check(self) -> None:
        """Write an event if the health changed or the last one is 10 minutes old, unless the monitor is stopped."""
        if self._frozen:
            return
        now_us = self._world.now_us
        healthy = tuple(service not in self._messages for service in SERVICES)
        messages = tuple(self._messages.get(service, _HEALTHY.format(service)) for service in SERVICES)
        last = self.events[-1] if self.events else None
        if last is not None:
            due_us = last.recorded_us + _UNCHANGED_SECONDS * 1_000_000
            if (last.healthy, last.messages) == (healthy, messages) and now_us < due_us:
                return
            for service, was, is_ in zip(SERVICES, last.healthy, healthy, strict=True):
                if was != is_:
                    self._unchanged_us[service] = now_us
        self.events.append(ClusterEvent(self._world.ids.next(now_us), now_us, healthy, messages))
        oldest_us = now_us - _MAX_AGE_SECONDS * 1_000_000
        self.events = [event for event in self.events if event.recorded_us >= oldest_us][-_MAX_EVENTS:]

    @property
    def stale(self) -> bool:
        """The monitor stopped writing."""
        return self._world.now_us - self.events[-1].recorded_us > STALE_AFTER_SECONDS * 1_000_000

    def health(self, *, with_stale: bool) -> tuple[bool, dict[str, Any]]:
        """Return whether all is well, and the document of `/v0/cluster_healthz`. There must be an event."""
        last = self.events[-1]
        all_healthy = all(last.healthy) and not (with_stale and self.stale)
        document: dict[str, Any] = {"all_healthy": all_healthy}
        if with_stale:
            document |= {"stale": self.stale, "stale_after_seconds": STALE_AFTER_SECONDS}
        for service, healthy, message in zip(SERVICES, last.healthy, last.messages, strict=True):
            document[service] = {
                "healthy": healthy,
                "message": message,
                "unchanged_since": rfc3339(self._unchanged_us[service]),
                "checked_at": rfc3339(last.recorded_us),
            }
        return all_healthy, document
