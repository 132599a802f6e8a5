"""What the runner says in a pipeline's log when its state changes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.history import State

TERMINATED = "The pipeline-manager and this pipeline were previously terminated. Start the pipeline again."


class RunnerLine(NamedTuple):
    """A line of the runner, without its time."""

    level: str
    module: str
    message: str


def change_lines(before: State, after: State) -> Iterator[RunnerLine]:
    """Yield what the runner says to a change. What users ask for is not said, only what comes of it."""
    failed = after.error is not None and before.error is None
    # Errors of the resources are logged; one that the pipeline reports itself is not.
    if failed and after.error.get("error_code") == "RunnerCheckError":
        yield RunnerLine("ERROR", "local_runner", f"Resources error: {after.error['details']['error']}")
    if after.resources != before.resources:
        # The runner does not know yet that the failure will change what is desired.
        desired = "provisioned" if failed else _word(after.resources_desired)
        yield _transition("Resources", before.resources, after.resources, desired)
    if after.runtime != before.runtime:
        yield _transition("Runtime", before.runtime, after.runtime, _word(after.runtime_desired))
    if (before.storage, after.storage) == ("Clearing", "Cleared"):
        yield RunnerLine("INFO", "pipeline_automata", "Storage transition: clearing -> cleared")


def _transition(what: str, before: str | None, after: str | None, desired: str) -> RunnerLine:
    message = f"{what} transition: {_word(before)} -> {_word(after)} (desired: {desired})"
    return RunnerLine("INFO", "pipeline_automata", message)


def _word(status: str | None) -> str:
    """Return a status as log messages have it, in snake_case."""
    return "(none)" if status is None else re.sub(r"(?<!^)(?=[A-Z])", "_", status).lower()
