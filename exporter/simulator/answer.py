"""What the simulator answers, as plain data: the server sends it, faults bend it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.simulator.body import Body

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.simulator.api import Later, Stream

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
HTML = "text/html"
# The real server names the last header twice when it compresses.
API_HEADERS = {
    "access-control-allow-credentials": "true",
    "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
}
UNCACHED_HEADERS = {**API_HEADERS, "cache-control": "no-cache"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. An empty one has no content type; one with a `stream` sends that in place of the body."""

    status: int
    body: Body = field(default_factory=Body)
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    compressible: bool = True
    chunked: bool = False
    """Sent in chunks although its length is known."""
    stream: Stream | None = None
    later: Later | None = None
    """Where it is given, the answer is made when that is over."""


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] = API_HEADERS) -> Answer:
    """Answer with a JSON document."""
    return Answer(status, Body.json(value), JSON, headers)


def text_answer(text: str, status: int) -> Answer:
    """Answer in plain text, as for queries that cannot be read."""
    return Answer(status, Body(text.encode()), TEXT, API_HEADERS)


def empty_answer(status: int, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer without body and content type."""
    return Answer(status, headers={**API_HEADERS, **(headers or {})})


def error_answer(
    status: int, code: str, message: str, details: Any = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with the server's error envelope, without `details` where there are none."""
    envelope = {"message": message, "error_code": code}
    if details is not None:
        envelope["details"] = details
    return json_answer(envelope, status, {**API_HEADERS, **(headers or {})})
