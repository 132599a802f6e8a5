"""A pipeline as the database of a Feldera server holds it: present state, times, versions, events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from exporter.simulator.history import Event, History, State
from exporter.simulator.log_style import LogStyle
from exporter.simulator.pipeline_document import pipeline_document
from exporter.simulator.runner_lines import change_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.log_follower import End
    from exporter.simulator.pipeline_logs import PipelineLogs
    from exporter.simulator.world import World

_encode = msgspec.json.Encoder().encode
_WORDS = ("program", "storage", "resources", "resources_desired", "runtime", "runtime_desired")
# Seen on a real server: these changes make a new `refresh_version`, the others (desired, storage, dismissal) do not.
_REFRESHING_PROGRAM = {"SqlCompiled", "Success", "SqlError", "RustError", "SystemError"}


class PipelineRecord:
    """The state of one pipeline, changed only by `record`, so that list, events and `_since` times always agree."""

    def __init__(self, world: World, name: str, description: str = "") -> None:
        self.world = world
        self.name = name
        self.description = description
        self.tags: list[str] = []
        self.id = world.ids.next(world.now_us)
        self.created_us = world.now_us
        self.version = 1
        self.program_version = 1
        self.refresh_version = 1
        self.program_code = "CREATE TABLE t (x INT); CREATE MATERIALIZED VIEW v AS SELECT COUNT(*) AS c FROM t;"
        self.program_error: dict[str, Any] = _no_program_error()
        self.deployment_id: str | None = None
        self.deployment_initial: str | None = None
        self.state = State()
        self.since_us: dict[str, int | None] = {
            word: None if word.startswith("runtime") else world.now_us for word in _WORDS
        }
        self.history = History()
        self.deleted = False
        self.style = LogStyle(self.id, name)
        self._logs: PipelineLogs | None = None
        self._encoded: dict[str, bytes] = {}
        self._remember(self.state, world.now_us)

    def record(self, *, has_error: bool | None = None, **changes: Any) -> Event:
        """Change the state, if anything is given, and write one event of it, now."""
        before, now_us = self.state, self.world.now_us
        self.state = msgspec.structs.replace(before, **changes)
        if self.world.logs:
            self._tell(before)
        for word in _WORDS:
            value = getattr(self.state, word)
            if value != getattr(before, word):
                self.since_us[word] = None if value is None else now_us
        if self._refreshes(before):
            self.refresh_version += 1
        if changes:
            self.touch()
        return self._remember(self.state, now_us, has_error=has_error)

    @property
    def logs(self) -> PipelineLogs:
        """The pipeline's log as the runner holds it now. Made when first asked for: most are never read."""
        if self._logs is None:
            self._logs = self.world.runner.new_logs(self)
        return self._logs

    def log(self, text: bytes | str) -> None:
        """Let the pipeline's process print a text of one or more lines, ended by LF or CR LF."""
        raw = text.encode() if isinstance(text, str) else text
        self.log_lines([line.removesuffix(b"\r") for line in raw.removesuffix(b"\n").split(b"\n")])

    def log_lines(self, lines: Sequence[bytes]) -> None:
        """Let the process print many lines, as they are and without any line end in them: the quick way."""
        if self.world.runner.up:
            self.logs.extend(lines)

    def end_streams(self, end: End, torn: bytes = b"") -> None:
        """End every open stream of the log, which goes on."""
        if self._logs is not None:
            self._logs.end(end, torn)

    def lose_logs(self, end: End, torn: bytes = b"") -> None:
        """End every stream, and forget the log."""
        if self._logs is not None:
            self._logs.close(end, torn)
            self._logs = None

    def record_event(
        self,
        *,
        recorded_us: int | None = None,
        appears_in_seconds: float | None = 0.0,
        has_error: bool | None = None,
        **words: Any,
    ) -> Event:
        """Write an event with arbitrary values, known or not: what is not given is as it is now.

        `words` are the fields of `State`; `has_error` may contradict `error`. With `recorded_us` or a delay the
        event is a late one: the present state stays, and it appears after that many seconds, or where that is None
        when `reveal` is called. Without either, the present state becomes what the event says.
        """
        if recorded_us is None and appears_in_seconds == 0:
            return self.record(has_error=has_error, **words)
        state = msgspec.structs.replace(self.state, **words)
        event = self._event(state, self.world.now_us if recorded_us is None else recorded_us, has_error=has_error)
        self.history.hold(event)
        if appears_in_seconds == 0:
            self.history.reveal(event)
        elif appears_in_seconds is not None:
            self.world.schedule(appears_in_seconds, lambda: self.history.reveal(event))
        return event

    def reveal(self) -> None:
        """Make every late event that is still held back visible."""
        self.history.reveal()

    def describe(self, description: str) -> None:
        """Change the description, which is no change that the server records."""
        self.description = description
        self.touch()

    def touch(self) -> None:
        """Note that the list entry is to be encoded again."""
        self._encoded.clear()
        self.world.revision += 1

    def encoded(self, selector: str) -> bytes:
        """Return the pipeline's JSON, encoded once per change."""
        text = self._encoded.get(selector)
        if text is None:
            text = self._encoded[selector] = _encode(pipeline_document(self, selector))
        return text

    def _tell(self, before: State) -> None:
        lines = [self.style.runner(self.world.now_us, *line) for line in change_lines(before, self.state)]
        if lines:
            # Errors can be of several lines, which are lines of the log by themselves.
            self.log_lines(b"\n".join(lines).split(b"\n"))

    def _refreshes(self, before: State) -> bool:
        after = self.state
        return (
            (after.program != before.program and after.program in _REFRESHING_PROGRAM)
            or (after.resources, after.resources_details) != (before.resources, before.resources_details)
            or (after.runtime, after.runtime_details) != (before.runtime, before.runtime_details)
        )

    def _remember(self, state: State, recorded_us: int, *, has_error: bool | None = None) -> Event:
        event = self._event(state, recorded_us, has_error=has_error)
        self.history.add(event)
        return event

    def _event(self, state: State, recorded_us: int, *, has_error: bool | None) -> Event:
        shown = state.error is not None if has_error is None else has_error
        return Event(recorded_us, self.world.ids.next(self.world.now_us), state, shown)


def _no_program_error() -> dict[str, Any]:
    return {"sql_compilation": None, "rust_compilation": None, "system_error": None}
