"""Servers that answer what no honest vendor would, each in a way of its own; all count what they are asked."""

from __future__ import annotations

import itertools
import time
from typing import Any

from aiohttp import web

Document = dict[str, Any]
GOLDRUSH = "/platform/pipeline-api/"


def moment(seconds: float = 0.0) -> str:
    """Return a time of so many seconds from now as the vendors write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + seconds))


ACTOR: Document = {"id": "actor1", "name": "shop", "username": "jane", "createdAt": moment(-9999)}
LIMITS: Document = {"limits": {"maxMonthlyUsageUsd": 300}, "current": {"monthlyUsageUsd": 3.5}}


def page(items: list[Any], **fields: Any) -> Document:
    """Return a page of Apify's."""
    count = len(items)
    return {"total": count, "offset": 0, "limit": 1000, "count": count, "desc": False, "items": items} | fields


def run(job_id: str, **fields: Any) -> Document:
    """Return a run that began before it was looked at."""
    return {"id": job_id, "actId": "actor1", "status": "RUNNING", "startedAt": moment(-30), "finishedAt": None} | fields


class Server:
    """Serves answers as JSON in the vendor's envelope; `times` are those of all requests, by a monotonic clock."""

    provider = ""
    up = 1.0
    """Whether the source is to be up all the same."""
    says = ""
    """What the exporter's log has to say of it."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        self.times.append(time.monotonic())
        found = self.answer(request.path, dict(request.query))
        return found if isinstance(found, web.Response) else web.json_response({"data": found})

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return the data of an answer, or the whole of it."""
        raise NotImplementedError


class Apify(Server):
    """An Actor with one run, where nothing else is said."""

    provider = "apify"

    def actors(self, query: dict[str, str]) -> Any:  # noqa: ARG002  (some look at it)
        """Return the list of Actors."""
        return page([ACTOR])

    def runs(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return the list of runs."""
        return page([run("run1")])

    def log(self) -> Any:
        """Return the log of any run."""
        return web.Response(text="", content_type="text/plain")

    def answer(self, path: str, query: dict[str, str]) -> Any:
        """Return the data of an answer."""
        parts = path.strip("/").split("/")
        if parts[1] == "users":
            return LIMITS if parts[-1] == "limits" else {"username": "jane"}
        if parts[1] == "actors":
            lists = {2: self.actors, 4: self.runs if parts[-1] == "runs" else lambda _query: page([])}
            return lists[len(parts)](query) if len(parts) in lists else ACTOR
        if len(parts) == 2:
            return self.runs(query) if parts[1] == "actor-runs" else page([])
        return run(parts[2]) if len(parts) == 3 else self.log()


class RunsWithoutEnd(Apify):
    """Every page of runs is full of new ones."""

    up = 0.0
    says = "the pages of the list shift faster than they can be read"
    _ids = itertools.count()

    def runs(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return another page."""
        return page([run(f"run{next(self._ids)}") for _ in range(100)], total=10**12, limit=100)


class TotalsThatLie(Apify):
    """Totals, counts and limits are anything."""

    def actors(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return a page."""
        return page([ACTOR], total=-1, limit="x", count=None)

    def runs(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return a page."""
        return page([run("run1")], total=0, limit=0, offset=-7)


class FailsWithinTheList(Apify):
    """All pages of Actors but the first fail."""

    up = 0.0
    says = "answered 500"

    def actors(self, query: dict[str, str]) -> Any:
        """Return a page, or fail."""
        if query.get("offset", "0") != "0":
            return web.Response(status=500, text="boom")
        return page([ACTOR | {"id": f"a{number}", "name": f"n{number}"} for number in range(1000)], total=3000)


class Names(Apify):
    """Names and ids with everything that a text can hold."""

    says = "entries of the vendor's answers could not be read"
    _names = (
        'q"uo"te',
        "new\nline",
        "back\\slash",
        '{x="y"}',
        "\0nul",
        "half \ud83d",
        "  ",
        "a" * 257,
        "é🦄",
        "x/y",
        "x/y",
    )

    def actors(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return a page."""
        return page([ACTOR | {"id": f"a{number}", "name": name} for number, name in enumerate(self._names)])

    def runs(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return a page."""
        ids = ("../../users/me", "a b?c#d", "%2e%2e", "..", "", "x" * 1000)
        return page([run(f"run{number}", actId=f"a{number}") for number in range(11)] + [run(one) for one in ids])


class Junk(Apify):
    """Items of every wrong type, and times that cannot be."""

    says = "entries of the vendor's answers could not be read"

    def runs(self, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return a page."""
        odd: list[Any] = [
            None,
            7,
            "x",
            [],
            {},
            run("a", status=None),
            run("b", startedAt=10**30),
            run("c", id={"a": 1}),
        ]
        times = [run("d", startedAt="9999-12-31T23:59:59.999Z"), run("e", startedAt="0001-01-01T00:00:00Z")]
        nobody = {key: value for key, value in run("f").items() if key != "actId"}
        return page([*odd, *times, nobody, *(run(f"w{number}", status=f'W{number}"\n') for number in range(100))])


class TooManyRequests(Apify):
    """It never takes a request, and does not say when it would."""

    up = 0.0
    says = "answered 429"

    def answer(self, path: str, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Refuse."""
        return web.json_response({"error": {"type": "rate-limit-exceeded", "message": "later"}}, status=429)


class LogIsAPage(Apify):
    """The log is a page for people."""

    def log(self) -> Any:
        """Return a page."""
        return web.Response(text="<html>Sign in</html>", content_type="text/html")


class LogWithoutLineEnd(Apify):
    """The log is one line of 20 MB."""

    def log(self) -> Any:
        """Return the log."""
        return web.Response(body=b"x" * 20_000_000, content_type="text/plain")


class GoldRush(Server):
    """One pipeline that runs, where nothing else is said."""

    provider = "goldrush"
    _parts: Document = {  # noqa: RUF012  (never written to)
        "status": {"status": "RUNNING", "replicas": 1, "ready": 1},
        "metrics": {"records_consumed": 5},
        "destination-health": {"healthy": True},
        "logs": {"pods": [{"pod": "p", "logs": "INFO a\n"}]},
    }

    def __init__(self) -> None:
        super().__init__()
        self._turn = itertools.count()

    def list(self) -> Any:
        """Return the list of pipelines."""
        items = [{"pipeline_id": "pipe_1", "name": "p", "status": "running"}]
        return {"items": items, "pagination": {"has_more": False}}

    def part(self, name: str) -> Any:
        """Return what is asked of a pipeline."""
        return self._parts[name]

    def answer(self, path: str, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Return the data of an answer."""
        place = path.removeprefix(GOLDRUSH).strip("/").split("/")
        return self.part(place[1]) if len(place) == 2 else self.list()

    def in_turn(self, *answers: Any) -> Any:
        """Return one after the other."""
        return answers[next(self._turn) % len(answers)]


class SamePageAgain(GoldRush):
    """Each page says that another follows, and shows the same."""

    says = "says that more follow and shows nothing new"

    def list(self) -> Any:
        """Return the page."""
        return {"items": [{"pipeline_id": "pipe_1", "name": "p", "status": "running"}], "has_more": True}


class OddMetrics(GoldRush):
    """Counters that are no numbers, or fall."""

    def part(self, name: str) -> Any:
        """Return one of them."""
        values: tuple[Any, ...] = (5, -1, "7", 1e308, True, None, 3.5, [], 2)
        odd = [{"records_consumed": value} for value in values]
        return self.in_turn(*odd) if name == "metrics" else super().part(name)


class OddStatuses(GoldRush):
    """Statuses of every wrong type."""

    says = "answered without data"

    def part(self, name: str) -> Any:
        """Return one of them."""
        words = ({"status": None}, {"status": "N3W"}, {"status": ["a"]}, None, {"status": "x" * 1000})
        return (
            self.in_turn({"status": "RUNNING", "replicas": -1, "ready": "x"}, *words)
            if name == "status"
            else super().part(name)
        )


class OddLogs(GoldRush):
    """Pods of every wrong type, far too many, with far too much."""

    def part(self, name: str) -> Any:
        """Return one of them."""
        if name != "logs":
            return super().part(name)
        some = [None, 1, {"pod": 1, "logs": "x"}, {"pod": "p", "logs": None}, {"pod": 'p\n"', "logs": "a\0b\nc"}]
        many = [{"pod": f"p{number}", "logs": "INFO x\n"} for number in range(1000)]
        return self.in_turn(
            {"pods": None},
            {"pods": "x"},
            {"pods": some},
            None,
            {"pods": [{"pod": "q", "logs": "x" * 5_000_000}]},
            {"pods": many},
        )


class FailsInTheEnvelope(GoldRush):
    """Status 200 and an error in the envelope, with odd words."""

    up = 0.0
    says = "answered 200 with an error: no way"

    def answer(self, path: str, query: dict[str, str]) -> Any:  # noqa: ARG002
        """Fail."""
        return web.json_response({"data": None, "error": True, "error_message": "no\nway", "error_code": {"a": 1}})


SERVERS: tuple[type[Server], ...] = (
    RunsWithoutEnd,
    TotalsThatLie,
    FailsWithinTheList,
    Names,
    Junk,
    TooManyRequests,
    LogIsAPage,
    LogWithoutLineEnd,
    SamePageAgain,
    OddMetrics,
    OddStatuses,
    OddLogs,
    FailsInTheEnvelope,
)
