"""What can go wrong between a server and its client: one table of faults, drawn at random or ordered by a test."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.answer import API_HEADERS, HTML, JSON, Answer, error_answer
from exporter.simulator.body import Body
from exporter.simulator.log_answer import CHANNEL_CLOSED, CHANNEL_FULL, RUNNER_DOWN, RUNNER_SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

_POOL_ERROR = (
    "Error occurred while creating a new object: error connecting to server: Connection refused (os error 111)"
)
_FRAMES = (
    "<pipeline_manager::db::error::DBError as core::convert::From<deadpool::managed::errors::PoolError>>::from",
    "<core::pin::Pin<P> as core::future::future::Future>::poll",
    "actix_web::handler::handler_service::{{closure}}::{{closure}}",
)
_BACKTRACE = "".join(f"{number:4}: {_FRAMES[number % len(_FRAMES)]}\n" for number in range(72))


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for a request to fail. What is not given is as the answer would have been."""

    answer: Answer | None = None
    """Sent in place of the true answer."""
    delay_seconds: float = 0.0
    silent: bool = False
    """Never answer, and keep the connection."""
    keep_fraction: float | None = None
    """Keep only this part of the body, as if it were all."""
    cut: str | None = None
    """`before`: close the connection without a byte; `middle`: after half of the body that the header promised."""

    def bend(self, answer: Answer) -> Answer:
        """Return what is sent for the true answer."""
        if self.answer is not None:
            return self.answer
        if self.keep_fraction is not None:
            kept = int(len(answer.body.raw) * self.keep_fraction)
            return replace(answer, body=Body(answer.body.raw[:kept]))
        return answer


def _page(status: int, title: str) -> Answer:
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Answer(status, Body(page.encode()), HTML)


FAULTS: dict[str, Fault] = {
    "database_down": Fault(
        error_answer(
            500,
            "PostgresPoolError",
            f"Postgres connection pool error: '{_POOL_ERROR}'",
            {"error": _POOL_ERROR, "backtrace": _BACKTRACE},
        )
    ),
    "bad_gateway": Fault(_page(502, "502 Bad Gateway")),
    "gateway_timeout": Fault(_page(504, "504 Gateway Time-out")),
    "unavailable": Fault(
        error_answer(
            503, "RunnerInteractionUnreachable", "Runner is unreachable", {"error": "timeout"}, {"retry-after": "5"}
        )
    ),
    "too_many_requests": Fault(Answer(429, headers={"retry-after": "1"})),
    "slow": Fault(delay_seconds=2.0),
    "silent": Fault(silent=True),
    "cut_before": Fault(cut="before"),
    "cut_middle": Fault(cut="middle"),
    "garbage": Fault(Answer(200, Body(b'\x00\xff\xfe{"id":]\x80' * 40), JSON, API_HEADERS)),
    "html": Fault(_page(200, "Sign in")),
    "truncated": Fault(keep_fraction=0.5),
    "empty": Fault(keep_fraction=0.0),
}

LOG_FAULTS: dict[str, Fault] = {
    "runner_down": Fault(RUNNER_DOWN),
    "runner_silent": Fault(RUNNER_SILENT),
    "channel_full": Fault(CHANNEL_FULL),
    "channel_closed": Fault(CHANNEL_CLOSED),
}
"""Faults between API and runner; they are only ordered, never drawn."""


@dataclass(slots=True)
class _Order:
    pattern: str
    fault: Fault
    left: int


class Faults:
    """Decides which request fails: those that a test ordered, then `rate` of the others, drawn from a seed."""

    def __init__(self, rate: float = 0.0, seed: int = 0) -> None:
        if not 0.0 <= rate <= 1.0:
            raise ValueError(f"a fault rate is between 0 and 1, not {rate}")
        self.rate = rate
        self.injected: Counter[str] = Counter()
        self._random = Random(seed)
        self._orders: list[_Order] = []

    def next(self, count: int, path: str, fault: str | Fault) -> None:
        """Let the next `count` requests whose path (without query) matches the shell pattern have the fault."""
        if isinstance(fault, str):
            known = FAULTS | LOG_FAULTS
            if fault not in known:
                raise ValueError(f"{fault!r} is no fault: use one of {', '.join(known)}")
            fault = known[fault]
        self._orders.append(_Order(path, fault, count))

    def clear(self) -> None:
        """Forget what was ordered and not used."""
        self._orders.clear()

    def pick(self, path: str, drawn: Mapping[str, Fault] = FAULTS) -> Fault | None:
        """Return the fault of this request, or None; one by chance is out of `drawn`."""
        for order in self._orders:
            if order.left > 0 and fnmatchcase(path, order.pattern):
                order.left -= 1
                self.injected["ordered"] += 1
                return order.fault
        if self.rate and self._random.random() < self.rate:
            name = self._random.choice(list(drawn))
            self.injected[name] += 1
            return drawn[name]
        return None
