"""A pipeline that lives: its operations, each with the events that a real server writes for it.

An operation writes its first transaction at once and leaves the rest to the world's clock, as generators of waits in
seconds. All events written between two waits are one transaction and share `recorded_at`. A newer operation of the
same kind (compiler or deployment) takes the place of one that has not finished.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from exporter.simulator.errors import runner_check_error, rust_outcome, sql_error, system_error
from exporter.simulator.pipeline_record import PipelineRecord
from exporter.simulator.process_lines import SERVER, configuration_lines, mixed, panic_lines, start_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.world import World

COMPILE_OUTCOMES = ("ok", "sql_error", "rust_error", "system_error", "killed")
_PROGRAM_ERRORS = {"SqlError", "RustError", "SystemError"}
_PROCESS = {"process": "has not exited", "working_dir": "exists"}
_QUIET = {"connector_stats": {"num_errors": 0}}
_NO_RUNTIME: dict[str, Any] = {
    "resources_details": None,
    "runtime": None,
    "runtime_details": None,
    "runtime_desired": None,
}


class ImpossibleError(ValueError):
    """An operation does not fit the pipeline's state; a real server would refuse it."""


class Pipeline(PipelineRecord):
    """One pipeline with everything that users, compiler and runner do to it."""

    def __init__(self, world: World, name: str, description: str = "") -> None:
        super().__init__(world, name, description)
        self.connectors: dict[str, Any] = {}
        """The inputs in the configuration that a start dumps into the log."""
        self._steps: dict[str, Iterator[float]] = {}

    def compile(self, outcome: str = "ok") -> None:
        """Compile the program from `Pending`; `killed` loops for ever, as with a compiler that runs out of memory."""
        if outcome not in COMPILE_OUTCOMES:
            raise ImpossibleError(f"compile outcome {outcome!r} is none of {', '.join(COMPILE_OUTCOMES)}")
        self._must_be_stopped("compile")
        self._begin()
        if self.state.program != "Pending":
            self.version += 1
            self.program_version += 1
            self.refresh_version += 1
            self.record(program="Pending")
        self._drive("compiler", self._compiling(outcome))

    def start(self, *, paused: bool = False) -> None:
        """Start, into Running or Paused. A standing error is dismissed; a started pipeline only gets one more event."""
        if self.state.resources_desired == "Provisioned":
            self._begin()
            self.record()
            return
        if self.state.resources != "Stopped":
            raise ImpossibleError(f"pipeline {self.name!r} cannot start: it is {self.state.resources}")
        if self.state.program in _PROGRAM_ERRORS:
            raise ImpossibleError(f"pipeline {self.name!r} cannot start: its program is {self.state.program}")
        self._begin()
        self.deployment_initial = "Paused" if paused else "Running"
        self.record(resources_desired="Provisioned", error=None)
        self._drive("deployment", self._starting(self.deployment_initial))

    def pause(self) -> None:
        """Pause a provisioned pipeline."""
        self._switch("pause", "Paused")

    def resume(self) -> None:
        """Resume a paused pipeline."""
        self._switch("resume", "Running")

    def stop(self) -> None:
        """Stop by force, which is also an event for a stopped pipeline."""
        self._begin()
        if self.state.resources == "Stopped" or self.state.resources_desired == "Stopped":
            # One that waits to be provisioned (compiling) goes back at once.
            self.deployment_initial = self.deployment_initial if self.state.resources != "Stopped" else None
            self.record(resources_desired="Stopped")
            if self.state.resources == "Stopped":
                self._steps.pop("deployment", None)
            return
        self.record(resources_desired="Stopped")
        self._drive("deployment", self._stopping())

    def crash(self, error: dict[str, Any] | None = None) -> None:
        """Let the deployment fail, with an exit status of 101 unless `error` is given."""
        if self.state.resources not in {"Provisioning", "Provisioned"}:
            raise ImpossibleError(f"pipeline {self.name!r} cannot crash: it is {self.state.resources}")
        self._begin()
        self.record(resources_desired="Stopped")
        self._drive("deployment", self._failing(error or runner_check_error()))

    def dismiss(self) -> None:
        """Dismiss the deployment error; an event comes even without one."""
        self._begin()
        self.record(error=None)

    def heartbeat(self) -> None:
        """Write one event without any change, as the runner does every 10 minutes."""
        self._begin()
        self.record()

    def change_details(self, num_errors: int = 7) -> None:
        """Report other connector statistics and a checkpoint, with the statuses as they are."""
        self._begin()
        checkpoint = {"uuid": self.world.ids.next(self.world.now_us), "identifier": None, "fingerprint": 1234}
        self.record(
            runtime_details={"connector_stats": {"num_errors": num_errors}},
            storage_details={"checkpoints": [checkpoint | {"size": 1000, "steps": 5, "processed_records": 10}]},
        )

    def clear_storage(self) -> None:
        """Clear the storage of a stopped pipeline; nothing happens where it is cleared already."""
        self._must_be_stopped("clear the storage")
        if self.state.storage == "Cleared":
            return
        self._begin()
        self.record(storage="Clearing")
        self._drive("deployment", self._clearing())

    def edit(self) -> None:
        """Change the runtime configuration: a new version, no new compilation."""
        self._must_be_stopped("edit")
        self._begin()
        self.version += 1
        self.refresh_version += 1
        self.touch()
        self.record()

    def rename(self, name: str) -> None:
        """Give the pipeline another name; id and history stay."""
        self.world.rename(self, name)
        self.edit()

    def delete(self) -> None:
        """Delete the pipeline with all its events."""
        self._must_be_stopped("delete")
        self.world.remove(self)
        self.deleted = True

    def recreate(self, outcome: str | None = "ok") -> Pipeline:
        """Delete the pipeline and make a new one of the same name: another id, no past."""
        self.delete()
        return self.world.create(self.name, compile_as=outcome)

    def flap(self, times: int = 1) -> None:
        """Go from Running to Unavailable and back, `times` times, each within a second."""
        if self.state.runtime is None:
            raise ImpossibleError(f"pipeline {self.name!r} cannot flap: it is {self.state.resources}")
        self._begin()
        self._drive("deployment", self._flapping(times))

    def _begin(self) -> None:
        # Two operations at one moment of the clock are still two transactions, with times of their own.
        self.world.now_us += 1 + self.world.random.randrange(900)

    def _must_be_stopped(self, what: str) -> None:
        if (self.state.resources, self.state.resources_desired) != ("Stopped", "Stopped"):
            raise ImpossibleError(
                f"cannot {what} pipeline {self.name!r}: it is {self.state.resources} and wanted "
                f"{self.state.resources_desired}; stop it first"
            )

    def _switch(self, what: str, runtime: str) -> None:
        if self.state.runtime is None or self.state.resources_desired != "Provisioned":
            raise ImpossibleError(f"cannot {what} pipeline {self.name!r}: it is {self.state.resources}")
        self._begin()
        # While it initializes only the wish changes; the start that is under way looks at it at its end.
        starting = self.state.runtime == "Initializing"
        if not starting:
            self._steps.pop("deployment", None)
        if not starting:
            self._print(
                f"{'start' if what == 'resume' else what}: Transitioning from {self.state.runtime} to {runtime}"
            )
        self.record(runtime_desired=runtime, runtime=self.state.runtime if starting else runtime)

    def _print(self, message: str) -> None:
        if self.world.logs:
            self.log(self.style.process(self.world.now_us, "INFO", SERVER, message))

    def _print_start(self, initial: str) -> None:
        if self.world.logs:
            random = self.world.runner.random
            port = random.randrange(32_768, 61_000)
            said = start_lines(self.style, self.world.now_us, self.deployment_id or "", initial, port)
            self.log_lines(mixed(random, configuration_lines(self.style, self.connectors), said))

    def _drive(self, kind: str, steps: Iterator[float]) -> None:
        self._steps[kind] = steps
        self._go_on(kind, steps)

    def _go_on(self, kind: str, steps: Iterator[float]) -> None:
        if self.deleted or self._steps.get(kind) is not steps:
            return
        wait_seconds = next(steps, None)
        if wait_seconds is None:
            self._steps.pop(kind, None)
        else:
            self.world.schedule(wait_seconds, partial(self._go_on, kind, steps))

    def _compiling(self, outcome: str) -> Iterator[float]:
        between = self.world.random.uniform
        yield between(0.1, 0.5)
        self.record(program="CompilingSql")
        yield between(1.0, 2.0)
        if outcome in {"sql_error", "system_error"}:
            self.program_error = sql_error() if outcome == "sql_error" else system_error()
            self.record(program="SqlError" if outcome == "sql_error" else "SystemError")
            return
        self.record(program="SqlCompiled")
        yield between(0.005, 0.05)
        self.record(program="CompilingRust")
        while outcome == "killed":
            yield 2.2
            self.record(program="SqlCompiled")
            yield 0.005
            self.record(program="CompilingRust")
        yield between(1.0, 3.0)
        if outcome == "ok":
            self.program_error = rust_outcome(0, "    Finished `optimized` profile [optimized] target(s) in 2.00s\n")
            self.record(program="Success")
        else:
            self.program_error = rust_outcome(101, "error[E0425]: cannot find value `RUST_ERROR` in this scope\n")
            self.record(program="RustError")

    def _starting(self, initial: str) -> Iterator[float]:
        between = self.world.random.uniform
        while self.state.program != "Success":
            if self.state.program in _PROGRAM_ERRORS:
                return
            yield 0.1
        yield between(0.005, 0.05)
        self.record(storage="InUse")
        self.deployment_id = self.world.ids.next(self.world.now_us)
        self.record(resources="Provisioning")
        self._print_start(initial)
        yield between(1.0, 2.0)
        self.record(
            resources="Provisioned",
            resources_details=_PROCESS,
            runtime="Initializing",
            runtime_details={"reason": "initializing set by the runner"},
            runtime_desired=initial,
        )
        yield between(0.005, 0.08)
        self.record(runtime_details={})
        yield between(0.5, 2.5)
        self._print("Pipeline initialization complete")
        self.record(runtime=self.state.runtime_desired, runtime_details=_QUIET, storage_details={"checkpoints": []})

    def _stopping(self) -> Iterator[float]:
        yield self.world.random.uniform(0.005, 0.05)
        self.record()
        self.record(resources="Stopping", **_NO_RUNTIME)
        yield self.world.random.uniform(0.02, 0.8)
        self._stopped()

    def _failing(self, error: dict[str, Any]) -> Iterator[float]:
        if "exit status: 101" in str(error.get("message")) and self.world.logs:
            self.log_lines(panic_lines())
        self.record(resources="Stopping", error=error, **_NO_RUNTIME)
        yield self.world.random.uniform(0.01, 0.5)
        self._stopped()

    def _stopped(self) -> None:
        self.deployment_id = None
        self.deployment_initial = None
        self.record(resources="Stopped")

    def _clearing(self) -> Iterator[float]:
        yield self.world.random.uniform(0.1, 1.0)
        self.record(storage="Cleared", storage_details=None)

    def _flapping(self, times: int) -> Iterator[float]:
        for _ in range(times):
            back = self.state.runtime
            self.record(runtime="Unavailable")
            yield self.world.random.uniform(0.1, 1.0)
            self.record(runtime=back)
            yield self.world.random.uniform(0.1, 1.0)
