"""What a pipeline's words mean in the vocabulary of all vendors, by the rows of the design."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.providers.feldera import VOCABULARY, read_pipeline
from tests.providers.documents import pipeline, running

ERROR = {"message": "exited\nwith status 101", "error_code": "RunnerCheckError", "details": {}}
WANTED = {"deployment_resources_desired_status": "Provisioned"}

STATES = [
    ("pending", pipeline(**WANTED)),
    ("pending", running("AwaitingApproval")),
    ("starting", pipeline(deployment_resources_status="Provisioning", **WANTED)),
    ("starting", pipeline(deployment_resources_status="Provisioning")),
    *(
        ("starting", running(word))
        for word in ("Initializing", "Coordination", "Bootstrapping", "Synchronizing", "Replaying")
    ),
    ("running", running("Running")),
    ("running", running("ConcurrentBootstrapping")),
    ("running", running("Running", deployment_resources_desired_status="Stopped")),
    ("degraded", running("Unavailable")),
    *(("paused", running(word)) for word in ("Paused", "Standby", "Suspended")),
    ("stopping", running(None, None) | {"deployment_resources_status": "Stopping"}),
    ("stopping", running("Running") | {"deployment_resources_status": "Stopping", "deployment_error": ERROR}),
    ("stopped", pipeline()),
    ("stopped", pipeline(program_status="SqlError")),
    ("failed", pipeline(deployment_error=ERROR)),
    ("failed", pipeline(deployment_error=ERROR, **WANTED)),
    ("failed", pipeline(deployment_error={}, deployment_resources_desired_status="Napping")),
    *(("failed", pipeline(program_status=word, **WANTED)) for word in ("SqlError", "RustError", "SystemError")),
    ("failed", running("Running", program_status="RustError")),
    ("unknown", running("Dreaming")),
    ("unknown", running(None)),
    ("unknown", pipeline(deployment_resources_status="Napping", **WANTED)),
    ("unknown", pipeline(deployment_resources_status=None)),
    ("unknown", pipeline(deployment_resources_desired_status="Napping")),
]


def test_every_known_runtime_status_has_a_state() -> None:
    """No word of the runtime that is known reads `unknown`."""
    states = {word: read_pipeline(running(word)).state for word in VOCABULARY.facets["runtime"]}
    assert {} == {word: state for word, state in states.items() if state == "unknown"}


@pytest.mark.parametrize(("state", "entry"), STATES)
def test_the_state_by_the_designs_table(state: str, entry: dict[str, Any]) -> None:
    """The rows are tried in order and the first that fits wins; what is not known is `unknown`."""
    assert state == read_pipeline(entry).state


@pytest.mark.parametrize(
    ("expected", "entry"),
    [
        (True, pipeline()),
        (False, pipeline(**WANTED)),
        (True, running("Running")),
        (False, running("Paused")),
        (True, running("Paused", "Paused")),
        (True, running("Unavailable", None)),
        (True, running("ConcurrentBootstrapping", "Running")),
        (False, running("ConcurrentBootstrapping", "Paused")),
        (False, running("Running", deployment_resources_desired_status="Stopped")),
        (False, running(None, "Running")),
    ],
)
def test_whether_it_is_as_desired(expected: bool, entry: dict[str, Any]) -> None:
    """Resources and runtime are compared; no wish fits any runtime, and ConcurrentBootstrapping is as good as Running."""
    assert expected == read_pipeline(entry).in_desired_state
