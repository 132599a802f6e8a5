"""The Feldera API over a world: requests in, answers out, no I/O. The order of checks is the real server's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from exporter.simulator.answer import (
    HTML,
    JSON,
    UNCACHED_HEADERS,
    Answer,
    empty_answer,
    error_answer,
    json_answer,
    text_answer,
)
from exporter.simulator.authentication import authenticate, authentication_document
from exporter.simulator.body import Body
from exporter.simulator.faults import FAULTS
from exporter.simulator.identifiers import InvalidUuidError, parse_uuid
from exporter.simulator.log_answer import log_answer
from exporter.simulator.log_request import LogQueryError, LogRequest
from exporter.simulator.server_config import config_document
from exporter.simulator.version import NEWEST, version_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.faults import Fault
    from exporter.simulator.log_follower import End
    from exporter.simulator.pipeline import Pipeline
    from exporter.simulator.world import World

PIPELINE_SELECTORS = ("all", "status", "status_with_connectors")
EVENT_SELECTORS = ("all", "status")
_CONSOLE = Body(b"<!doctype html><html><head><title>web console</title></head><body>simulator</body></html>\n")
_NIL_UUID = "00000000-0000-0000-0000-000000000000"
_DENIED = "This endpoint has no access-control classification and is denied"


class _RefusedError(Exception):
    """Ends the handling of a request with the answer that it carries."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class FelderaApi:
    """Answers requests as a Feldera server of `world.version` does, with an API key where one is set."""

    def __init__(self, world: World, *, api_key: str | None = None) -> None:
        self.world = world
        self.api_key = api_key
        self._routes: list[tuple[re.Pattern[str], Callable[..., Answer]]] = [
            (re.compile("/v0/" + pattern), handler)
            for pattern, handler in (
                ("pipelines", self._pipelines),
                ("pipelines/([^/]+)", self._pipeline),
                ("pipelines/([^/]+)/events", self._events),
                ("pipelines/([^/]+)/events/([^/]+)", self._event),
                ("pipelines/([^/]+)/logs", self._logs),
                ("cluster/events", self._cluster_events),
                ("cluster/events/([^/]+)", self._cluster_event),
                ("cluster_healthz", self._cluster_healthz),
                ("config", self._config),
                ("config/session", self._session),
                ("metrics", self._metrics),
            )
        ]

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What can go wrong by chance."""
        return FAULTS

    def end_streams(self, end: End) -> None:
        """End every open stream."""
        for pipeline in self.world.pipelines.values():
            pipeline.end_streams(end)

    @property
    def _is_newest(self) -> bool:
        # Asked anew each time: a server is upgraded and rolled back while its readers look on.
        return version_numbers(self.world.version) >= NEWEST

    def answer(self, method: str, raw_path: str, query: str = "", authorization: str | None = None) -> Answer:
        """Answer one request; `raw_path` and `query` as they came, percent signs and all."""
        if raw_path != "/v0" and not raw_path.startswith("/v0/"):
            return self._outside(raw_path)
        refusal = authenticate(self.api_key, authorization)
        if refusal is not None:
            return refusal
        for pattern, handler in self._routes:
            match = pattern.fullmatch(raw_path)
            if match is not None:
                return self._handle(handler, method, query, *map(unquote, match.groups()))
        return empty_answer(404)

    def _outside(self, raw_path: str) -> Answer:
        if raw_path == "/healthz":
            return Answer(200, Body(b'{"status":"healthy"}'), JSON, compressible=False)
        if raw_path == "/config/authentication":
            return json_answer(authentication_document(self.api_key))
        # Everything else is the web console's, also a path with a slash too many.
        return Answer(200, _CONSOLE, HTML, {"etag": '"60:6b0146d4"'}, compressible=False)

    @staticmethod
    def _handle(handler: Callable[..., Answer], method: str, query: str, *parts: str) -> Answer:
        if method != "GET":
            return error_answer(403, "InsufficientPermissions", _DENIED)
        try:
            return handler(query, *parts)
        except _RefusedError as refused:
            return refused.answer

    def _pipelines(self, query: str) -> Answer:
        selector = _selector(query, PIPELINE_SELECTORS, default="all")
        return Answer(200, self.world.list_body(selector), JSON, UNCACHED_HEADERS)

    def _pipeline(self, query: str, name: str) -> Answer:
        selector = _selector(query, PIPELINE_SELECTORS, default="all")
        return Answer(200, Body(self._find(name).encoded(selector)), JSON, UNCACHED_HEADERS)

    def _events(self, query: str, name: str) -> Answer:
        selector = _selector(query, EVENT_SELECTORS, default="status")
        return Answer(200, self._find(name).history.body(selector), JSON, UNCACHED_HEADERS)

    def _event(self, query: str, name: str, event_id: str) -> Answer:
        selector = _selector(query, EVENT_SELECTORS, default="status")
        wanted = event_id if event_id == "latest" else _uuid(event_id)
        event = self._find(name).history.find(wanted)
        if event is not None:
            return json_answer(event.document(selector), headers=UNCACHED_HEADERS)
        if wanted == "latest":
            return error_answer(
                404,
                "NoPipelineMonitorEventsAvailable",
                "There are not yet any pipeline monitor events recorded -- please wait for the first one",
                {},
            )
        return error_answer(
            404,
            "UnknownPipelineMonitorEvent",
            f"Pipeline monitor event with identifier '{wanted}' does not exist -- it might have been deleted as only "
            "a limited number of events are retained",
            {"event_id": wanted},
        )

    def _logs(self, query: str, name: str) -> Answer:
        try:
            request = LogRequest.read(query, self.world.version)
        except LogQueryError as error:
            raise _RefusedError(text_answer(f"Query deserialize error: {error}", 400)) from error
        return log_answer(self._find(name), request)

    def _cluster_events(self, query: str) -> Answer:
        selector = _selector(query, EVENT_SELECTORS, default="status")
        events = [event.document(selector) for event in reversed(self.world.cluster.events)]
        return json_answer(events, headers=UNCACHED_HEADERS)

    def _cluster_event(self, query: str, event_id: str) -> Answer:
        selector = _selector(query, EVENT_SELECTORS, default="status")
        events = self.world.cluster.events
        if event_id == "latest":
            if not events:
                return _no_cluster_events()
            stale = self.world.cluster.stale if self._is_newest else None
            return json_answer(events[-1].document(selector, stale=stale), headers=UNCACHED_HEADERS)
        wanted = _uuid(event_id)
        for event in events:
            if event.id == wanted:
                return json_answer(event.document(selector), headers=UNCACHED_HEADERS)
        return error_answer(
            404,
            "UnknownClusterMonitorEvent",
            f"Cluster monitor event with identifier '{wanted}' does not exist -- it might have been deleted as "
            "monitor events are only retained for 72h and at most 1000",
            {"event_id": wanted},
        )

    def _cluster_healthz(self, _query: str) -> Answer:
        if not self.world.cluster.events:
            return _no_cluster_events()
        healthy, document = self.world.cluster.health(with_stale=self._is_newest)
        return json_answer(document, 200 if healthy else 503)

    def _config(self, _query: str) -> Answer:
        return json_answer(config_document(self.world.version, newest=self._is_newest))

    def _session(self, _query: str) -> Answer:
        role = "admin" if self.api_key is None else "read"
        return json_answer({"tenant_id": _NIL_UUID, "tenant_name": "default", "role": role, "memberships": []})

    def _metrics(self, _query: str) -> Answer:
        text = "".join(
            "# TYPE records_input_total counter\n"
            f'records_input_total{{pipeline="pipeline-{pipeline.id}",pipeline_name="{pipeline.name}"}} 42\n\n'
            for pipeline in self.world.pipelines.values()
            if pipeline.state.runtime in {"Running", "Paused"}
        )
        headers = {key: value for key, value in UNCACHED_HEADERS.items() if key != "cache-control"}
        return Answer(200, Body(text.encode()), "text/plain", headers)

    def _find(self, name: str) -> Pipeline:
        pipeline = self.world.find(name)
        if pipeline is None:
            message = f"Unknown pipeline name '{name}'"
            raise _RefusedError(error_answer(404, "UnknownPipelineName", message, {"pipeline_name": name}))
        return pipeline


def _selector(query: str, allowed: tuple[str, ...], *, default: str) -> str:
    """Return the selector of a query. Unknown parameters are ignored, a second selector is refused in text."""
    chosen = [value for key, value in parse_qsl(query, keep_blank_values=True) if key == "selector"]
    problem = None
    if chosen and chosen[0] not in allowed:
        words = [f"`{word}`" for word in allowed]
        expected = " or ".join(words) if len(words) == 2 else "one of " + ", ".join(words)
        problem = f"unknown variant `{chosen[0]}`, expected {expected}"
    elif len(chosen) > 1:
        problem = "duplicate field `selector`"
    if problem is not None:
        raise _RefusedError(text_answer(f"Query deserialize error: {problem}", 400))
    return chosen[0] if chosen else default


def _uuid(text: str) -> str:
    try:
        return parse_uuid(text)
    except InvalidUuidError as error:
        message = f"Invalid UUID string '{text}': {error}"
        details: Any = {"value": text, "error": str(error)}
        raise _RefusedError(error_answer(400, "InvalidUuidParam", message, details)) from error


def _no_cluster_events() -> Answer:
    message = "There are not yet any cluster monitor events recorded -- please wait for the first one"
    return error_answer(404, "NoClusterMonitorEventsAvailable", message, {})
