"""Answers in Apify's envelopes: `{"data": …}`, and `{"error": {"type", "message"}}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.answer import Answer
from exporter.simulator.body import Body

if TYPE_CHECKING:
    from collections.abc import Mapping

_JSON = "application/json; charset=utf-8"
_HEADERS = {"x-ratelimit-limit": "60"}


class RefusedError(Exception):
    """Ends the handling of a request with the answer that it carries."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def data(value: Any) -> Answer:
    """Answer with data."""
    return Answer(200, Body.json({"data": value}), _JSON, _HEADERS)


def failure(status: int, error_type: str, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with an error."""
    body = Body.json({"error": {"type": error_type, "message": message}})
    return Answer(status, body, _JSON, {**_HEADERS, **(headers or {})})


def not_found(what: str) -> RefusedError:
    """Refuse what is not there, or not yet, or no more."""
    return RefusedError(failure(404, "record-not-found", f"{what} was not found"))


def too_many(retry_after_seconds: int | None) -> Answer:
    """Answer a request that is one too many; when to come again need not be said."""
    headers = {} if retry_after_seconds is None else {"retry-after": str(retry_after_seconds)}
    message = "You have exceeded the rate limit of 60 requests per second"
    return failure(429, "rate-limit-exceeded", message, headers)
