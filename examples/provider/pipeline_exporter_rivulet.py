"""Rivulet, a vendor that does not exist, as an example of a provider in one file.

What its API has, all of it for `Authorization: Bearer KEY`:

- `GET /v1/ping`: `{"version": "3.1"}`, without a key too
- `GET /v1/flows`: `{"flows": [{"id", "name", "state", "wanted", "since", "backlog", "processed", "error"}]}`; `state` is
  queued, flowing, held, broken or drained, `wanted` is flowing or held, `error` is null or `{"code", "text"}`
- `GET /v1/flows/ID/log`: the newest 10,000 lines as text, from the oldest of them on, and then each new line as it comes
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import msgspec

from exporter.logs.resume import open_overlap
from exporter.providers.base import NOTHING_KNOWN, Provider
from exporter.providers.budget import Priority
from exporter.providers.http import decode_json
from exporter.providers.streams import require_log
from exporter.providers.times import parse_rfc3339_ns
from exporter.status.model import Event, Listing, PipelineNow, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.logs.resume import Position, Stream
    from exporter.providers.base import LogStream
    from exporter.providers.http import HttpClient
    from exporter.providers.streams import ByteStream
    from exporter.status.model import Known

STATES = {"queued": "pending", "flowing": "running", "held": "paused", "broken": "failed", "drained": "succeeded"}
"""The vendor's words, and what each is in the one vocabulary of all vendors."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class _Error(msgspec.Struct):
    code: str
    text: str = ""


class _Flow(msgspec.Struct):
    """One entry of the list. Unknown keys are ignored: vendors add some."""

    id: Name
    name: Name
    state: str
    wanted: str
    since: str
    backlog: int = 0
    processed: int = 0
    error: _Error | None = None


class _Flows(msgspec.Struct):
    flows: list[msgspec.Raw]


class _Ping(msgspec.Struct):
    version: str


class Rivulet(Provider):
    """One Rivulet account."""

    vocabulary = Vocabulary(
        facets={"flow": tuple(STATES)},
        desired={"flow": ("flowing", "held")},
        errors=frozenset({"broken"}),
        recorded=False,
    )
    logs = "streams"

    def __init__(self, client: HttpClient, options: Mapping[str, str | None], clock: Callable[[], float]) -> None:
        del options, clock  # Rivulet has no keys of its own, and says itself when something changed
        self._client = client

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:  # noqa: ARG002  (each list says all)
        """Look at all flows in one request. An entry that cannot be read is left out and counted."""
        answer = await self._client.get("/v1/flows", priority=Priority.LIST)
        pipelines: dict[str, PipelineNow] = {}
        malformed = 0
        for entry in decode_json(answer, _Flows).flows:
            try:
                pipeline = read_flow(entry)
            except (msgspec.MsgspecError, ValueError):
                malformed += 1
                continue
            if pipeline.name in pipelines:
                malformed += 1  # names are unique at Rivulet, and they are labels: two would be one series twice
            else:
                pipelines[pipeline.name] = pipeline
        # Which flow an unreadable entry was is not known: none that is missing is taken for deleted at once.
        return Listing(list(pipelines.values()), malformed, unidentified=malformed)

    async def alive(self) -> None:
        """Ask whether anybody answers; needs no key."""
        await self.describe()

    async def describe(self) -> str:
        """Name the vendor and its version."""
        answer = await self._client.get("/v1/ping", priority=Priority.LIST)
        return f"Rivulet {decode_json(answer, _Ping).version[:40]}"

    async def open_log(self, log: LogStream, before: Position | None, priority: Priority) -> RivuletLog:
        """Open a flow's log. It begins with lines that may have been read before: the text tells which."""
        stream = await self._client.stream(f"/v1/flows/{quote(log.pipeline_id, safe='')}/log", priority=priority)
        await require_log(stream)
        return RivuletLog(stream, open_overlap(before, reason="overflow", follow=True))

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


class RivuletLog:
    """One open log."""

    complete = False
    """A flow's log goes on after a connection has ended."""

    def __init__(self, stream: ByteStream, resume: Stream) -> None:
        self._stream = stream
        self.resume = resume

    @property
    def end(self) -> str | None:
        """How it ended: `end` or `cut`; None while it lasts."""
        return self._stream.end

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        return await self._stream.read()

    def uid(self, line: int) -> None:
        """Return nothing: Rivulet does not number its lines, so that records are given their ids."""

    async def close(self) -> None:
        """Close it cleanly."""
        await self._stream.close()


def read_flow(entry: msgspec.Raw) -> PipelineNow:
    """Read one entry of the list. Raises msgspec.MsgspecError or ValueError when it is not one."""
    flow = msgspec.json.decode(entry, type=_Flow)
    since_ns = parse_rfc3339_ns(flow.since)
    wanted = flow.wanted == "flowing"
    settled = flow.state == flow.wanted
    error = flow.error or (_Error("broken") if flow.state == "broken" else None)
    return PipelineNow(
        id=flow.id,
        name=flow.name,
        version="",
        # Only what makes an event: with the backlog in it, every look would be one.
        digest=hashlib.blake2b(repr((flow.state, flow.wanted, flow.since)).encode(), digest_size=16).digest(),
        words={"flow": flow.state},
        since_seconds={"flow": since_ns / 1e9},
        desired={"flow": flow.wanted},
        state=STATES.get(flow.state, "unknown"),
        in_desired_state=settled,
        error_code=error.code if error else None,
        error_message=" ".join(error.text[:300].split()) if error else "",
        wanted=wanted,
        changed_ns=since_ns,
        created_ns=0,
        gauges={"pending_records": flow.backlog},
        counters={"records": flow.processed},
        observed=Event(
            at_ns=since_ns,
            id=uuid.uuid4().bytes,
            words=(flow.state,),
            wanted=wanted,
            running=flow.state == "flowing",
            settled=settled,
            has_error=error is not None,
        ),
    )
