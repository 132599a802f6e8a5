"""The list of pipelines: what is now."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.providers.feldera._values import name, text, time_ns, word
from exporter.providers.feldera._words import PROGRAM_ERRORS, is_in_desired_state, state_of
from exporter.status.model import Listing, PipelineNow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


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


class _Identified(msgspec.Struct):
    """An entry of the list, of which only the id is wanted."""

    id: str


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
    words = {facet: word(entry.get(field)) for facet, field in _FIELDS.items()}
    desired = {facet: word(entry.get(field)) for facet, field in _DESIRED_FIELDS.items()}
    times = {field: time_ns(entry.get(field)) for field in _TIME_FIELDS}
    created_ns = time_ns(entry.get("created_at"))
    error_code, error_message = _standing_error(entry.get("deployment_error"), words["program"])
    connector_errors = _connector_errors(entry)
    recorded = {field: value for field, value in entry.items() if field not in _UNRECORDED}
    return PipelineNow(
        id=name(entry.get("id")),
        name=name(entry.get("name")),
        version=text(entry.get("version")),
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


def _standing_error(deployment_error: Any, program: str | None) -> tuple[str | None, str]:
    """Return code and message of a standing error; (None, "") where there is none."""
    if deployment_error is not None:
        error = deployment_error if isinstance(deployment_error, dict) else {}
        code = error.get("error_code")
        return code if isinstance(code, str) and code else "other", " ".join(text(error.get("message")).split())
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
