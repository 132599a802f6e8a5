"""Logs of jobs as Apify sends them, and how a source keeps to the vendor's limits."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.providers.apify import Apify
from exporter.providers.base import LogStream
from exporter.providers.budget import Budget, Priority
from exporter.providers.errors import MalformedError, NotFoundError, StatusError
from exporter.providers.http import Connection, HttpClient
from exporter.simulator import serve
from exporter.simulator.apify import APIFY_FAULTS, APIFY_REFUSALS, ApifyWorld
from exporter.status.model import Job, Known
from tests.providers.apify_answers import NOW_SECONDS
from tests.providers.loopback import answer, loopback

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.simulator import SimulatorServer
    from exporter.simulator.apify import Job as SimulatedJob


@asynccontextmanager
async def serving(world: ApifyWorld) -> AsyncIterator[tuple[Apify, SimulatorServer, Budget]]:
    """Serve a world to a provider."""
    async with serve(apify=world) as server:
        budget = Budget(1000.0)
        provider = Apify(
            HttpClient(Connection(server.url, 5.0, {}), budget, lambda _code: None), {}, lambda: NOW_SECONDS
        )
        try:
            yield provider, server, budget
        finally:
            await provider.close()


def log_of(job: SimulatedJob, *, result: str) -> LogStream:
    """Return the log of a job, as one that has ended or not."""
    known = Job(job.kind, job.id, job.actor.id, job.status, result, 1, 0)
    return LogStream(known.key, job.actor.id, job.actor.full_name, known)


async def read(provider: Apify, log: LogStream) -> tuple[bytes, bool, str | None]:
    """Read a log to its end."""
    opened = await provider.open_log(log, None, Priority.OPEN)
    text = b""
    while data := await opened.read():
        text += data
    end = opened.end
    await opened.close()
    return text, opened.complete, end


@pytest.mark.parametrize("kind", ["run", "build"])
async def test_the_log_of_an_ended_job_is_complete(kind: str) -> None:
    """An ended job's log is read whole; it goes on no more."""
    world = ApifyWorld()
    shop = world.add_actor("shop")
    job = shop.start_run() if kind == "run" else shop.start_build()
    job.write(b"one\ntwo\n")
    job.finish()
    async with serving(world) as (provider, _, _):
        assert (b"one\ntwo\n", True, "end") == await read(provider, log_of(job, result="success"))


async def test_the_log_of_a_running_job_goes_on() -> None:
    """A running job's log is a stream: what is there, what comes, and its end with the job's."""
    run = ApifyWorld().add_actor("shop").start_run()
    run.write(b"one\n")
    async with serving(run.world) as (provider, _, _):
        opened = await provider.open_log(log_of(run, result=""), None, Priority.OPEN)
        assert (b"one\n", False, None, None) == (await opened.read(), opened.complete, opened.end, opened.uid(0))
        run.write(b"two\n")
        assert b"two\n" == await opened.read()
        run.finish()
        assert (b"", "end") == (await opened.read(), opened.end)
        await opened.close()


async def test_a_page_is_no_log() -> None:
    """What is not plain text is no log, and a job that is not found has none."""
    run = ApifyWorld().add_actor("shop").start_run()
    async with serving(run.world) as (provider, server, _):
        server.faults.next(1, "*/log", "html")
        with pytest.raises(MalformedError):
            await provider.open_log(log_of(run, result=""), None, Priority.OPEN)
        server.faults.next(1, "*/log", APIFY_REFUSALS["not_found"])
        with pytest.raises(NotFoundError):
            await provider.open_log(log_of(run, result=""), None, Priority.OPEN)
        with pytest.raises(MalformedError):
            await provider.open_log(LogStream("x", "actor", "jane/shop"), None, Priority.OPEN)


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "TEXT/PLAIN", "application/octet-stream", None])
async def test_a_log_whatever_its_type_was_made(content_type: str | None) -> None:
    """A log is read also where a proxy took its content type away, made it bytes or wrote it otherwise."""
    run = ApifyWorld().add_actor("shop").start_run()
    reply = answer(b"a line\n", headers=[f"Content-Type: {content_type}"])
    if content_type is None:
        reply = reply.replace(b"Content-Type: None\r\n", b"")
    async with loopback(reply) as server:
        client = HttpClient(Connection(server.url, 5.0, {}), Budget(1000.0), lambda _code: None)
        provider = Apify(client, {}, lambda: NOW_SECONDS)
        assert (b"a line\n", True, "end") == await read(provider, log_of(run, result="success"))
        await provider.close()


@pytest.mark.parametrize("refused", ["a list", "a log"])
async def test_a_429_holds_the_source(refused: str) -> None:
    """A 429 without Retry-After holds all requests of the source, whatever was asked for."""
    run = ApifyWorld().add_actor("shop").start_run()
    async with serving(run.world) as (provider, server, budget):
        server.faults.next(3, "*", APIFY_FAULTS["rate_limited"])
        log = provider.open_log(log_of(run, result=""), None, Priority.OPEN)
        asked = provider.list(Known()) if refused == "a list" else log
        with pytest.raises(StatusError) as caught:
            await asked
        log.close()
        assert (429, True) == (caught.value.status, budget.held_seconds > 0)


async def test_a_429_within_a_look_ends_it() -> None:
    """What was found before a 429 that lasts is handed on, with the problem; the rest is not asked for."""
    run = ApifyWorld().add_actor("shop").start_run()
    async with serving(run.world) as (provider, server, _):
        server.faults.next(3, "/v2/actor-builds", APIFY_FAULTS["rate_limited"])
        listing = await provider.list(Known(first=False))
        assert isinstance(listing.problem, StatusError)
        assert ({run.id}, None) == ({job.id for job in listing.jobs}, listing.account)


async def test_who_the_user_is() -> None:
    """The account is named by its user; that the API answers can be seen without a key that is accepted."""
    async with serving(ApifyWorld()) as (provider, server, _):
        assert "Apify, user janedoe" == await provider.describe()
        server.faults.next(1, "/v2/users/me", APIFY_REFUSALS["unauthorized"])
        await provider.alive()
        server.faults.next(1, "/v2/users/me", "html")
        with pytest.raises(MalformedError):
            await provider.describe()


async def test_one_job_with_its_figures() -> None:
    """A job that is asked for by itself has its figures; one that is deleted is not found."""
    world = ApifyWorld()
    run = world.add_actor("shop").start_run()
    world.advance(60)
    run.finish(compute_units=0.5, usd=0.25)
    world.advance(30)
    async with serving(world) as (provider, _, _):
        found = await provider.job("run", run.id, Priority.EVENTS)
        assert ("success", 0.5, 0.25, run.actor.id) == (
            found.result,
            found.compute_units,
            found.cost_usd,
            found.pipeline_id,
        )
        run.delete()
        with pytest.raises(NotFoundError):
            await provider.job("run", run.id, Priority.EVENTS)
