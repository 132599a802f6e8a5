"""What is known of one pipeline, and how it reads in the words of all vendors."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from exporter.status.model import Event, PipelineNow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.providers.errors import ProviderError

_STATES: Final = {
    "DEPLOYING": "starting",
    "PAUSED": "paused",
    "FAILED": "failed",
    "STOPPING": "stopping",
    "STOPPED": "stopped",
}
_GAUGES: Final = {
    "replicas": ("status", "replicas", 1.0),
    "replicas_ready": ("status", "ready", 1.0),
    "pending_records": ("metrics", "pending_records", 1.0),
    "processing_delay_seconds": ("metrics", "processing_delay_ms", 0.001),
    "records_per_second": ("metrics", "records_per_second", 1.0),
    "last_block_height": ("metrics", "last_block_height", 1.0),
    "last_offset": ("metrics", "last_offset", 1.0),
}
_COUNTERS: Final = {"records": "records_consumed", "normalization_errors": "normalization_errors"}

_MAX_WORD = 64
_MAX_MESSAGE = 300


@dataclass(slots=True)
class Pipeline:
    """What was last read of one pipeline."""

    id: str
    called: str
    """The name that the vendor gives it, which others may have too."""
    desired: str | None
    created_ns: int
    updated_ns: int
    name: str = ""
    parts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """The newest status, metrics and health."""
    problems: dict[str, ProviderError] = field(default_factory=dict)
    """Why the newest attempt to read one of them failed."""
    quiet_until: dict[str, float] = field(default_factory=dict)
    tried: dict[str, int] = field(default_factory=dict)
    """The number of the newest attempt."""
    observed: bool = False
    """This look has read its status."""
    digest: bytes = b""
    """Of what it was seen to do and asked to do when its status was last read."""
    missing: int = 0

    def renew(self, other: Pipeline) -> None:
        """Take over what a newer list says."""
        self.called, self.desired, self.missing = other.called, other.desired, 0
        self.created_ns, self.updated_ns = other.created_ns, other.updated_ns

    def text(self, part: str, key: str) -> str | None:
        """Return a text of what was read, None where there is none."""
        value = self.parts.get(part, {}).get(key)
        return value if isinstance(value, str) and value else None

    def number(self, part: str, key: str) -> float | None:
        """Return a number of what was read, None where there is none."""
        value = self.parts.get(part, {}).get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            return float(value) if math.isfinite(value) and value >= 0 else None
        except OverflowError:
            return None


def state_of(phase: str | None, replicas: float | None, ready: float | None) -> str:
    """Return the state in the vocabulary of all vendors."""
    if phase != "RUNNING":
        return _STATES.get(phase or "", "unknown")
    return "degraded" if replicas is not None and ready is not None and ready < replicas else "running"


def now_of(pipeline: Pipeline, at_ns: int) -> PipelineNow:
    """Return what is known of a pipeline now."""
    phase, desired = word_of(pipeline.text("status", "status")), pipeline.desired
    replicas, ready = pipeline.number("status", "replicas"), pipeline.number("status", "ready")
    complete = phase != "RUNNING" or replicas is None or ready is None or ready == replicas
    gauges = {name: (pipeline.number(part, key), scale) for name, (part, key, scale) in _GAUGES.items()}
    healthy = pipeline.parts.get("destination-health", {}).get("healthy")
    if isinstance(healthy, bool):
        gauges["destination_healthy"] = (float(healthy), 1.0)
    counters = {name: pipeline.number("metrics", key) for name, key in _COUNTERS.items()}
    message = pipeline.text("status", "last_error") or pipeline.text("destination-health", "last_error") or ""
    if pipeline.observed:
        pipeline.digest = _digest(phase or "", desired or "")
    return PipelineNow(
        id=pipeline.id,
        name=pipeline.name,
        version="",
        digest=pipeline.digest,
        words={"phase": phase},
        since_seconds={},
        desired={"phase": desired},
        state=state_of(phase, replicas, ready),
        in_desired_state=None if phase is None or desired is None else phase == desired and complete,
        error_code="FAILED" if phase == "FAILED" else None,
        error_message=" ".join(message[:_MAX_MESSAGE].split()) if phase == "FAILED" else "",
        wanted=desired == "RUNNING",
        changed_ns=max(pipeline.created_ns, pipeline.updated_ns),
        created_ns=pipeline.created_ns,
        gauges={name: value * scale for name, (value, scale) in gauges.items() if value is not None},
        counters={name: value for name, value in counters.items() if value is not None},
        observed=_event(pipeline.id, phase, desired, at_ns) if pipeline.observed and phase is not None else None,
    )


def _event(pipeline_id: str, phase: str, desired: str | None, at_ns: int) -> Event:
    """Return a look at a pipeline as an event."""
    return Event(
        at_ns=at_ns,
        id=_digest(pipeline_id, str(at_ns)),
        words=(phase,),
        wanted=desired == "RUNNING",
        running=phase == "RUNNING",
        settled=phase == desired,
        has_error=phase == "FAILED",
    )


def word_of(value: str | None) -> str | None:
    """Return a status word as it is; one that is too long to become a label is cut."""
    return value if value is None or len(value) <= _MAX_WORD else value[:_MAX_WORD] + "…"


def _digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode(errors="replace"), digest_size=16).digest()
