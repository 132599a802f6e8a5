"""GoldRush: the list in pages, however it says that more follow, and what vanishes from it."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web

from exporter.providers.errors import MalformedError, StatusError
from exporter.simulator.goldrush_world import Dialect, GoldRushWorld
from tests.providers.goldrush_server import Vendor, envelope, item, paged, scripted, simulated

ITEMS = [item(f"pipe_{number}", f"orders-{number}") for number in range(7)]
IDS = [f"pipe_{number}" for number in range(7)]


def serve_pages(vendor: Vendor, answer: Any, ids: list[str] | None = None) -> None:
    """Answer the list so, and about each of its pipelines."""
    vendor.answers[""] = answer
    for one in IDS if ids is None else ids:
        vendor.has(one)


@pytest.mark.parametrize(
    "dialect",
    [Dialect(), Dialect(flat_pagination=True), Dialect(id_key="id"), Dialect(newest_first=False)],
    ids=["nested", "flat", "id", "oldest"],
)
async def test_all_pages_are_read(dialect: Dialect) -> None:
    """Pages are smaller than what was asked for; all are read, in each form that the vendor's pages leave open."""
    world = GoldRushWorld(dialect=Dialect(dialect.id_key, dialect.newest_first, dialect.flat_pagination, 20, 2))
    for number in range(5):
        world.create(f"orders-{number}", phase="RUNNING")
    async with simulated(world) as (provider, server):
        listing = await provider.list()
        assert 3 == server.counts["/platform/pipeline-api/"]
    assert set(world.pipelines) == {one.id for one in listing.pipelines}
    assert ({}, None) == (listing.failures, listing.problem)


@pytest.mark.parametrize(
    ("more", "pages"),
    [
        (lambda end, total: {"has_more": end < total}, 3),
        (lambda end, total: {"has_more": end < total, "total_count": None}, 3),
        (lambda _end, total: {"total_count": total}, 3),
        (lambda end, total: {"pagination": {"has_more": end < total, "total_count": 99}}, 3),
        (lambda _end, _total: {}, 4),
        (lambda _end, _total: {"pagination": None}, 4),
    ],
    ids=["has_more", "null_total", "total", "nested", "silent", "null"],
)
async def test_the_end_is_known_by_what_is_there(more: Any, pages: int) -> None:
    """`has_more` decides, else the total, else a page with nothing new."""
    async with scripted() as (provider, vendor):
        serve_pages(vendor, paged(ITEMS, 3, more))
        listing = await provider.list()
        assert pages == vendor.asked.count("")
    assert IDS == [one.id for one in listing.pipelines]
    assert listing.problem is None


async def test_a_page_beyond_the_end_may_be_refused() -> None:
    """Where nothing says that more follow, 404 for the next page is the end."""

    def page(query: dict[str, str]) -> Any:
        return envelope({"items": ITEMS}) if query["page_number"] == "1" else web.Response(status=404)

    async with scripted() as (provider, vendor):
        serve_pages(vendor, page)
        listing = await provider.list()
    assert (7, None) == (len(listing.pipelines), listing.problem)


async def test_pages_without_end_are_left() -> None:
    """A vendor that always sends the same page is not asked for ever, and nothing is taken for deleted."""
    async with scripted() as (provider, vendor):
        serve_pages(vendor, lambda _: envelope({"items": ITEMS, "has_more": True}))
        listing = await provider.list()
        assert 2 == vendor.asked.count("")
    assert 7 == len(listing.pipelines)
    assert isinstance(listing.problem, MalformedError)


async def test_a_page_that_fails_takes_nothing_away() -> None:
    """What was on a page that fails is still read, and the problem is told."""
    async with scripted() as (provider, vendor):
        whole = paged(ITEMS, 3, lambda end, total: {"has_more": end < total})
        serve_pages(vendor, whole)
        await provider.list()
        vendor.answers[""] = lambda query: 500 if query["page_number"] == "2" else whole(query)
        listing = await provider.list()
    assert IDS == [one.id for one in listing.pipelines]
    assert isinstance(listing.problem, StatusError)


async def test_a_pipeline_that_was_deleted_vanishes() -> None:
    """One that the list has no more is gone at once, on one page or on several."""
    for size in (3, 100):
        async with scripted() as (provider, vendor):
            serve_pages(vendor, paged(ITEMS, size, lambda end, total: {"has_more": end < total}))
            await provider.list()
            vendor.answers[""] = paged(ITEMS[1:], size, lambda end, total: {"has_more": end < total})
            vendor.answers["pipe_0/status/"] = 404
            listing = await provider.list()
        assert IDS[1:] == [one.id for one in listing.pipelines]


async def test_a_pipeline_that_pages_have_shifted_past_stays() -> None:
    """A list in pages can miss one while others are deleted: it is gone only when its status is gone too."""
    async with scripted() as (provider, vendor):
        serve_pages(vendor, paged(ITEMS, 3, lambda end, total: {"has_more": end < total}))
        await provider.list()
        vendor.answers[""] = paged(ITEMS[:3] + ITEMS[4:], 3, lambda end, total: {"has_more": end < total})
        listing = await provider.list()
        assert IDS == sorted(one.id for one in listing.pipelines)
        assert {} == listing.failures
        await provider.list()
        last = await provider.list()
    assert 6 == len(last.pipelines)


async def test_entries_that_cannot_be_read_are_counted() -> None:
    """What has an id is known to be there; what has none may be any that is missing."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_0"), {"pipeline_id": "pipe_1", "name": None}, {"name": "x"}, 7, None, item(".."))
        vendor.has("pipe_0")
        listing = await provider.list()
    assert ["pipe_0"] == [one.id for one in listing.pipelines]
    assert (5, frozenset({"pipe_1"}), 4) == (listing.malformed, listing.malformed_ids, listing.unidentified)


async def test_a_hostile_id_stays_one_segment() -> None:
    """An id cannot lead to another path."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("../../admin"))
        await provider.list()
        assert {"..%2F..%2Fadmin/status/"} == {path for path in vendor.asked if "status" in path}
