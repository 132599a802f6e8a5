"""The GoldRush Pipeline API over a world: requests in, answers out, no I/O.

Only reading is served. The vendor takes other methods from a ServiceKey and deletes what it is told to; here they are
refused with 405 and remembered, so that a test can see that none came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from exporter.simulator.answer import Answer, json_answer
from exporter.simulator.faults import FAULTS, Fault
from exporter.simulator.goldrush_pipeline import GoldRushPipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.goldrush_world import GoldRushWorld
    from exporter.simulator.log_follower import End

_PATH = re.compile(r"/platform/pipeline-api/(?:([^/]+)/(?:([^/]+)/)?)?")
_OF_ONE: dict[str | None, Callable[[GoldRushPipeline], dict[str, Any]]] = {
    None: GoldRushPipeline.document,
    "status": GoldRushPipeline.status_document,
    "metrics": GoldRushPipeline.metrics_document,
    "destination-health": GoldRushPipeline.health_document,
    "logs": GoldRushPipeline.logs_document,
}


def _envelope(data: Any) -> Answer:
    return json_answer({"data": data, "error": False, "error_message": None, "error_code": None}, headers={})


def _refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    envelope = {"data": None, "error": True, "error_message": message, "error_code": code}
    return json_answer(envelope, status, headers or {})


_ANY_VENDOR = (
    "bad_gateway",
    "gateway_timeout",
    "slow",
    "silent",
    "cut_before",
    "cut_middle",
    "garbage",
    "html",
    "truncated",
    "empty",
)
GOLDRUSH_FAULTS: dict[str, Fault] = {
    "error_in_200": Fault(_refusal(200, "internal_error", "Deployment backend is unreachable")),
    "internal_error": Fault(_refusal(500, "internal_error", "Internal server error")),
    "rate_limited": Fault(_refusal(429, "rate_limited", "Too many requests", {"retry-after": "1"})),
    **{name: FAULTS[name] for name in _ANY_VENDOR},
}
"""What can go wrong by chance, or is given to `Faults.next` by a test."""


class _RefusedError(Exception):
    """Ends the handling of a request with the answer that it carries."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = _refusal(status, code, message)


class GoldRushApi:
    """Answers requests as the vendor does."""

    def __init__(self, world: GoldRushWorld) -> None:
        self._world = world

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What can go wrong by chance."""
        return GOLDRUSH_FAULTS

    def end_streams(self, end: End) -> None:
        """Do nothing: this API has no streams."""

    def answer(self, method: str, raw_path: str, query: str = "", authorization: str | None = None) -> Answer:
        """Answer one request; `raw_path` and `query` as they came, percent signs and all."""
        try:
            self._check_method(method, raw_path)
            self._authenticate(authorization)
            return _envelope(self._data(raw_path, query))
        except _RefusedError as refused:
            return refused.answer

    def _check_method(self, method: str, raw_path: str) -> None:
        if method != "GET":
            self._world.refused.append((method, raw_path))
            raise _RefusedError(405, "method_not_allowed", f"Method {method} is not allowed here")

    def _authenticate(self, authorization: str | None) -> None:
        keys = self._world.keys
        scheme, _, key = (authorization or "").partition(" ")
        key = key.strip() if scheme.lower() == "bearer" else ""
        if key in keys.ordinary:
            raise _RefusedError(403, "forbidden", "A ServiceKey is needed; this is an API key")
        if key in keys.revoked or (keys.service and key not in keys.service):
            raise _RefusedError(401, "unauthorized", "The ServiceKey is missing, unknown or revoked")

    def _data(self, raw_path: str, query: str) -> dict[str, Any]:
        path = _PATH.fullmatch(raw_path)
        if path is None or path[2] not in _OF_ONE:
            raise _RefusedError(404, "not_found", f"There is nothing at {raw_path}")
        if path[1] is None:
            return self._page(query)
        pipeline = self._world.pipelines.get(unquote(path[1]))
        if pipeline is None:
            raise _RefusedError(404, "not_found", f"Pipeline {unquote(path[1])} not found")
        return _OF_ONE[path[2]](pipeline)

    def _page(self, query: str) -> dict[str, Any]:
        dialect = self._world.dialect
        number = _positive(query, "page_number", 1)
        size = min(_positive(query, "page_size", dialect.page_size), dialect.max_page_size)
        pipelines = self._world.listed()
        begin, end = (number - 1) * size, number * size
        pagination = {
            "has_more": end < len(pipelines),
            "page_number": number,
            "page_size": size,
            "total_count": len(pipelines),
        }
        items = [pipeline.document() for pipeline in pipelines[begin:end]]
        return {"items": items, **(pagination if dialect.flat_pagination else {"pagination": pagination})}


def _positive(query: str, key: str, default: int) -> int:
    given = parse_qs(query, keep_blank_values=True).get(key)
    if given is None:
        return default
    if not given[0].isascii() or not given[0].isdecimal() or int(given[0]) < 1:
        raise _RefusedError(422, "validation_error", f"{key}: {given[0]!r} is not a whole number of at least 1")
    return int(given[0])
