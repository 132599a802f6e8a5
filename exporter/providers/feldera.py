"""Feldera: pipelines from one list, their history from monitor events, health from the cluster monitor.

How the API really behaves is in the contract page; what this module relies on, read off servers 0.337 to 0.375:
the list with `selector=status` has every field used here; an event is written in the transaction of a change and
shares `recorded_at` with others of it; unknown values and fields appear in minor releases.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import hashlib
import urllib.parse
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from exporter.logs.dialects import FELDERA
from exporter.logs.resume import CursorPosition, open_cursor, open_replay
from exporter.providers.base import NOTHING_KNOWN, Health, Provider, Reading
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError, StatusError
from exporter.providers.http import decode_json
from exporter.providers.times import parse_rfc3339_ns
from exporter.status.model import Component, Event, Listing, PipelineNow, Vocabulary
from exporter.status.words import is_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.logs.resume import Position
    from exporter.providers.base import LogStream
    from exporter.providers.http import Answer, HttpClient
    from exporter.providers.streams import ByteStream
    from exporter.status.model import Known

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

STALE_AFTER_SECONDS: Final = 900.0
"""The cluster monitor writes at least every 10 minutes; a check older than 15 is old. Newer servers say `stale` themselves."""

_STARTING = frozenset({"Initializing", "Coordination", "Bootstrapping", "Synchronizing", "Replaying"})
_PAUSED = frozenset({"Paused", "Standby", "Suspended"})
_RUNNING = frozenset({"Running", "ConcurrentBootstrapping"})

_FIELDS = {
    "resources": "deployment_resources_status",
    "runtime": "deployment_runtime_status",
    "program": "program_status",
    "storage": "storage_status",
}
_DESIRED_FIELDS = {
    "resources": "deployment_resources_desired_status",
    "runtime": "deployment_runtime_desired_status",
}
_SINCE_FIELDS = {facet: f"{_FIELDS[facet]}_since" for facet in ("resources", "runtime", "program")}
_TIME_FIELDS = (
    *_SINCE_FIELDS.values(),
    *(f"{field}_since" for field in _DESIRED_FIELDS.values()),
    "deployment_status_since",
)
_UNRECORDED = ("description", "tags")

_MAX_NAME = 256
_MAX_WORD = 64
_MAX_MESSAGE = 300
_MAX_COMPONENTS = 20


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


class _Identified(msgspec.Struct):
    """An entry of the list, of which only the id is wanted."""

    id: str


class Feldera(Provider):
    """One Feldera server, or one tenant of it."""

    vocabulary = VOCABULARY
    dialect = FELDERA

    def __init__(self, client: HttpClient, options: Mapping[str, str | None], clock: Callable[[], float]) -> None:
        del options  # the tenant is a header, which the client has
        self._client = client
        self._clock = clock
        self._listed: dict[bytes, PipelineNow] = {}
        self._components: dict[str, None] = {}

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:  # noqa: ARG002  (each list says all)
        """Look at all pipelines in one request. An entry equal to one of the last list is not decoded again."""
        answer = await self._client.get("/v0/pipelines", {"selector": "status"}, priority=Priority.LIST)
        entries = await asyncio.to_thread(decode_json, answer, list[msgspec.Raw])
        listing, self._listed = await asyncio.to_thread(read_list, entries, self._listed)
        return listing

    async def health(self) -> Health | None:
        """Ask the cluster monitor. It answers 503 when something is unhealthy, 404 before its first check."""
        try:
            answer = await self._client.get("/v0/cluster_healthz", priority=Priority.LIST, also=(503,), holds=False)
        except NotFoundError:
            return None
        components = read_health(answer, self._clock()).components
        for part in components:
            # Component names are labels: only the first so many that a server ever says.
            if len(self._components) < _MAX_COMPONENTS:
                self._components[part.name] = None
        return Health([part for part in components if part.name in self._components])

    async def history(self, pipeline: PipelineNow, priority: Priority) -> Reading:
        """Read all events that the server has kept."""
        answer = await self.events(pipeline.name, priority=priority)
        return await asyncio.to_thread(read_events, answer)

    async def confirm(self, pipeline: PipelineNow, priority: Priority = Priority.EVENTS) -> bool:
        """Ask which id the name has now: a name can be given to another pipeline between two requests."""
        try:
            answer = await self._client.get(
                f"/v0/pipelines/{_quoted(pipeline.name)}",
                {"selector": "status"},
                priority=priority,
                holds=False,
            )
        except NotFoundError:
            return False
        found = decode_json(answer)
        return isinstance(found, dict) and found.get("id") == pipeline.id

    async def describe(self) -> str:
        """Name the edition and version."""
        answer = await self._client.get("/v0/config", priority=Priority.LIST, holds=False)
        found = decode_json(answer)
        if not isinstance(found, dict):
            raise MalformedError(answer.url, "answered without a version: is this a Feldera server?")
        return f"Feldera {_text(found.get('version'))} ({_text(found.get('edition'))})"

    async def alive(self) -> None:
        """Ask whether the server's process and its database connection work; needs no credentials."""
        answer = await self._client.get("/healthz", priority=Priority.LIST, holds=False)
        found = decode_json(answer)
        if not isinstance(found, dict) or found.get("status") != "healthy":
            raise MalformedError(answer.url, "answered without saying that it is healthy")

    async def events(self, name: str, *, selector: str = "status", priority: Priority = Priority.EVENTS) -> Answer:
        """Fetch a pipeline's events: newest first, no paging. `all` adds details, tens of kB each where there are errors."""
        return await self._client.get(
            f"/v0/pipelines/{_quoted(name)}/events", {"selector": selector}, priority=priority, holds=False
        )

    async def event(self, name: str, event_id: str, *, selector: str = "status") -> Answer:
        """Fetch one event, or the `latest`."""
        return await self._client.get(
            f"/v0/pipelines/{_quoted(name)}/events/{_quoted(event_id)}",
            {"selector": selector},
            priority=Priority.EVENTS,
        )

    async def open_log(self, log: LogStream, before: Position | None, priority: Priority) -> FelderaLog:
        """Open a pipeline's log. Servers from 0.350 on go on after a cursor; older ones ignore it and send all they have.

        Without their headers a new server's follower was dropped at once, which looks like an old server and ends by
        itself; a cursor that is refused is not sent again.
        """
        cursor = f"{before.epoch}:{before.seq}" if isinstance(before, CursorPosition) else ""
        path = f"/v0/pipelines/{_quoted(log.pipeline)}/logs"
        try:
            stream = await self._client.stream(path, {"cursor": cursor}, priority=priority)
        except StatusError as error:
            if error.status != 400 or not cursor:
                raise
            stream = await self._client.stream(path, {"cursor": ""}, priority=priority)
        content_type = stream.headers.get("Content-Type", "")
        if not content_type.startswith("text/plain"):
            # A page for people, or of a proxy, would otherwise become records.
            await stream.close()
            raise MalformedError(stream.url, f"answered with {content_type or 'no type'!r} in place of a log")
        return FelderaLog(stream, before)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


class FelderaLog:
    """One open log, in cursor mode where the server's headers say so, else as a replay of all it has."""

    complete = False

    def __init__(self, stream: ByteStream, before: Position | None) -> None:
        self._stream = stream
        headers = stream.headers
        self._epoch = headers.get("feldera-logs-epoch", "")
        seq, gap = headers.get("feldera-logs-seq", ""), headers.get("feldera-logs-gap", "0")
        if self._epoch and seq.isdigit():
            self.resume = open_cursor(before, self._epoch, int(seq), int(gap) if gap.isdigit() else 0)
        else:
            self._epoch = ""
            self.resume = open_replay(before)

    @property
    def end(self) -> str | None:
        """How it ended: `end`, `told` (with the server's marker) or `cut`; None while it lasts."""
        return "told" if self._stream.end == "end" and self.resume.said_end else self._stream.end

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        return await self._stream.read()

    def uid(self, line: int) -> str | None:
        """Return the id of the record that begins with a new line of this number: made from epoch and number."""
        if not self._epoch:
            return None
        number, piece = self.resume.number(line)
        return f"{self._epoch}-{number}.{piece}" if piece else f"{self._epoch}-{number}"

    async def close(self) -> None:
        """Close it cleanly."""
        await self._stream.close()


def read_list(
    entries: Sequence[msgspec.Raw], before: Mapping[bytes, PipelineNow]
) -> tuple[Listing, dict[bytes, PipelineNow]]:
    """Read the list's entries; return them, and by digest of their text for the next list.

    Of two entries with one id or one name only the first is taken: the other would give series twice.
    """
    found: dict[bytes, PipelineNow] = {}
    ids: set[str] = set()
    names: set[str] = set()
    malformed: list[str | None] = []
    for entry in entries:
        text = hashlib.blake2b(entry, digest_size=16).digest()
        pipeline = before.get(text) or _read_entry(entry)
        if pipeline is None:
            malformed.append(_id_of(entry))
        elif pipeline.id in ids or pipeline.name in names:
            malformed.append(pipeline.id)
        else:
            ids.add(pipeline.id)
            names.add(pipeline.name)
            found[text] = pipeline
    identified = frozenset(one for one in malformed if one is not None)
    return Listing(list(found.values()), len(malformed), identified, malformed.count(None)), found


def _read_entry(entry: msgspec.Raw) -> PipelineNow | None:
    try:
        return read_pipeline(msgspec.json.decode(entry))
    except (ValueError, TypeError, RecursionError):
        return None


def _id_of(entry: msgspec.Raw) -> str | None:
    """Return the id of an entry of which something else cannot be read; None when that cannot be either."""
    try:
        return msgspec.json.decode(entry, type=_Identified).id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def read_pipeline(entry: Any) -> PipelineNow:
    """Read one entry of the list. Raises ValueError or TypeError when it is not one."""
    if not isinstance(entry, dict):
        raise TypeError(entry)
    words = {facet: _word(entry.get(field)) for facet, field in _FIELDS.items()}
    desired = {facet: _word(entry.get(field)) for facet, field in _DESIRED_FIELDS.items()}
    times = {field: _time_ns(entry.get(field)) for field in _TIME_FIELDS}
    created_ns = _time_ns(entry.get("created_at"))
    error_code, error_message = _standing_error(entry.get("deployment_error"), words["program"])
    connector_errors = _connector_errors(entry)
    recorded = {field: value for field, value in entry.items() if field not in _UNRECORDED}
    return PipelineNow(
        id=_name(entry.get("id")),
        name=_name(entry.get("name")),
        version=_text(entry.get("version")),
        digest=hashlib.blake2b(msgspec.json.encode(recorded, order="sorted"), digest_size=16).digest(),
        words=words,
        since_seconds={facet: times[field] / 1e9 for facet, field in _SINCE_FIELDS.items() if times[field]},
        desired=desired,
        state=state_of(words, desired, has_deployment_error=entry.get("deployment_error") is not None),
        in_desired_state=is_in_desired_state(words, desired),
        error_code=error_code,
        error_message=error_message,
        wanted=desired["resources"] == "Provisioned",
        changed_ns=max(created_ns, *times.values()),
        created_ns=created_ns,
        gauges={} if connector_errors is None else {"connector_errors": connector_errors},
    )


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
        ("running", provisioned and runtime in _RUNNING),
        ("stopped", resources == "Stopped" and desired["resources"] == "Stopped"),
    )
    return next((state for state, fits in rows if fits), "unknown")


def is_in_desired_state(words: Mapping[str, str | None], desired: Mapping[str, str | None]) -> bool:
    """Whether resources and runtime are what the user asked for; no wish for the runtime fits any."""
    runtime = "Running" if words["runtime"] == "ConcurrentBootstrapping" else words["runtime"]
    return words["resources"] == desired["resources"] and desired["runtime"] in (None, runtime, words["runtime"])


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
    runtime = _word(found.deployment_runtime_status)
    return Event(
        at_ns=parse_rfc3339_ns(found.recorded_at),
        id=UUID(found.event_id).bytes,
        words=(
            _word(found.deployment_resources_status),
            runtime,
            _word(found.program_status),
            _word(found.storage_status),
        ),
        wanted=found.deployment_resources_desired_status == "Provisioned",
        running=runtime in _RUNNING,
        settled=runtime is not None and runtime == found.deployment_runtime_desired_status,
        has_error=found.deployment_has_error,
    )


def read_health(answer: Answer, now_seconds: float) -> Health:
    """Read the cluster's health. A report that is stale, by its own word or by its age, vouches for nothing."""
    found = decode_json(answer)
    if not isinstance(found, dict):
        raise MalformedError(answer.url, "answered with something else than the health of services")
    components: list[Component] = []
    for name, part in found.items():
        if isinstance(part, dict) and isinstance(part.get("healthy"), bool) and is_plain(name):
            stale = found.get("stale") is True or ("stale" not in found and _is_old(part, answer, now_seconds))
            message = "the report is stale: the cluster monitor has stopped" if stale else _text(part.get("message"))
            components.append(Component(name, part["healthy"] and not stale, message))
    if not components:
        raise MalformedError(answer.url, "answered without the health of any service")
    return Health(components)


def _is_old(part: Mapping[str, Any], answer: Answer, now_seconds: float) -> bool:
    """Whether a check is too old to count, by the server's own clock where its answer shows one."""
    checked_ns = _time_ns(part.get("checked_at"))
    with contextlib.suppress(
        ValueError, OverflowError
    ):  # without a Date that makes sense the exporter's clock has to do
        now_seconds = email.utils.parsedate_to_datetime(answer.date).timestamp()
    return checked_ns > 0 and now_seconds - checked_ns / 1e9 > STALE_AFTER_SECONDS


def _standing_error(deployment_error: Any, program: str | None) -> tuple[str | None, str]:
    """Return code and message of a standing error; (None, "") where there is none."""
    if deployment_error is not None:
        error = deployment_error if isinstance(deployment_error, dict) else {}
        code = error.get("error_code")
        return code if isinstance(code, str) and code else "other", " ".join(_text(error.get("message")).split())
    if program in PROGRAM_ERRORS:
        return program, "the program does not compile"
    return None, ""


def _connector_errors(entry: Mapping[str, Any]) -> int | None:
    details = entry.get("deployment_runtime_status_details")
    stats = details.get("connector_stats") if isinstance(details, dict) else None
    for part in (stats, entry.get("connectors")):
        number = part.get("num_errors") if isinstance(part, dict) else None
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 2**63:
            return number
    return None


def _quoted(name: str) -> str:
    """Return a name as one segment of a path: the contract's names need no quoting, a hostile server's do."""
    return urllib.parse.quote(name, safe="")


def _name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or value in {".", ".."}:
        raise ValueError(value)
    return value


def _word(value: Any) -> str | None:
    """Return a status word as it is; one that is too long to become a label is cut, so that it takes no room."""
    if value is None or not isinstance(value, str):
        return None
    return value if len(value) <= _MAX_WORD else value[:_MAX_WORD] + "…"


def _text(value: Any) -> str:
    return str(value)[:_MAX_MESSAGE] if isinstance(value, str | int | float) else ""


def _time_ns(value: Any) -> int:
    try:
        return parse_rfc3339_ns(value) if isinstance(value, str) else 0
    except ValueError:
        return 0
