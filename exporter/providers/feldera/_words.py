"""The words of Feldera, and the state that they make."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.status.model import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping


PROGRAM_ERRORS: Final = frozenset({"SqlError", "RustError", "SystemError"})

VOCABULARY: Final = Vocabulary(
    facets={
        "resources": ("Stopped", "Provisioning", "Provisioned", "Stopping"),
        "runtime": (
            "Unavailable",
            "Coordination",
            "Standby",
            "Initializing",
            "AwaitingApproval",
            "Bootstrapping",
            "ConcurrentBootstrapping",
            "Synchronizing",
            "Replaying",
            "Paused",
            "Running",
            "Suspended",
        ),
        "program": (
            "Pending",
            "CompilingSql",
            "SqlCompiled",
            "CompilingRust",
            "Success",
            "SqlError",
            "RustError",
            "SystemError",
        ),
        "storage": ("Cleared", "InUse", "Clearing"),
    },
    desired={
        "resources": ("Stopped", "Provisioned"),
        "runtime": ("Unavailable", "Coordination", "Standby", "Paused", "Running", "Suspended"),
    },
    errors=PROGRAM_ERRORS,
)

_STARTING = frozenset({"Initializing", "Coordination", "Bootstrapping", "Synchronizing", "Replaying"})
_PAUSED = frozenset({"Paused", "Standby", "Suspended"})
RUNNING = frozenset({"Running", "ConcurrentBootstrapping"})


def state_of(words: Mapping[str, str | None], desired: Mapping[str, str | None], *, has_deployment_error: bool) -> str:
    """Return the state in the vocabulary of all vendors; the first row that fits wins."""
    resources, runtime = words["resources"], words["runtime"]
    wanted = desired["resources"] == "Provisioned"
    provisioned = resources == "Provisioned"
    rows = (
        ("failed", resources == "Stopped" and has_deployment_error),
        ("failed", wanted and words["program"] in PROGRAM_ERRORS),
        ("stopping", resources == "Stopping"),
        ("pending", resources == "Stopped" and wanted),
        ("pending", provisioned and runtime == "AwaitingApproval"),
        ("starting", resources == "Provisioning" or (provisioned and runtime in _STARTING)),
        ("degraded", provisioned and runtime == "Unavailable"),
        ("paused", provisioned and runtime in _PAUSED),
        ("running", provisioned and runtime in RUNNING),
        ("stopped", resources == "Stopped" and desired["resources"] == "Stopped"),
    )
    return next((state for state, fits in rows if fits), "unknown")


def is_in_desired_state(words: Mapping[str, str | None], desired: Mapping[str, str | None]) -> bool:
    """Whether resources and runtime are what the user asked for; no wish for the runtime fits any."""
    runtime = "Running" if words["runtime"] == "ConcurrentBootstrapping" else words["runtime"]
    return words["resources"] == desired["resources"] and desired["runtime"] in (None, runtime, words["runtime"])
