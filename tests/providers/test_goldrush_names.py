"""GoldRush: several pipelines may have one name; each is shown by a name of its own."""

from __future__ import annotations

from exporter.status.model import Known
from tests.providers.goldrush_server import item, scripted

OLD = item("pipe_9", created_at="2026-01-01T00:00:00Z")
NEW = item("pipe_1", created_at="2026-02-01T00:00:00Z")
NEWEST = item("pipe_2", created_at="2026-03-01T00:00:00Z")


async def names(*lists: list[dict[str, object]], known: dict[str, str] | None = None) -> dict[str, str]:
    """Return the names by id after some looks at these lists."""
    async with scripted() as (provider, vendor):
        for items in lists:
            vendor.lists(*items)
            listing = await provider.list(Known(known or {}))
        return {one.id: one.name for one in listing.pipelines}


async def test_the_oldest_keeps_the_name() -> None:
    """The others have their id behind it, in whatever order the list has them."""
    expected = {"pipe_9": "orders", "pipe_1": "orders (pipe_1)"}
    assert expected == await names([NEW, OLD])
    assert expected == await names([OLD, NEW])


async def test_a_name_stays_when_the_oldest_is_deleted() -> None:
    """Once given, a name stays: series would change hands otherwise. The plain one is free for the next."""
    assert {"pipe_1": "orders (pipe_1)", "pipe_2": "orders"} == await names([OLD, NEW], [NEW, NEWEST])


async def test_a_name_stays_over_a_restart() -> None:
    """What the journal knows is kept, also where an older pipeline has the same name now."""
    assert {"pipe_9": "orders (pipe_9)", "pipe_1": "orders"} == await names([OLD, NEW], known={"pipe_1": "orders"})


async def test_a_rename_gives_another_name() -> None:
    """The vendor's new name is taken, and the old one is free."""
    renamed = {**OLD, "name": "clicks"}
    assert {"pipe_9": "clicks", "pipe_1": "orders (pipe_1)"} == await names([OLD, NEW], [renamed, NEW])
    assert {"pipe_9": "clicks", "pipe_2": "orders"} == await names([OLD], [renamed, NEWEST])


async def test_names_of_what_is_not_seen_are_not_given_away() -> None:
    """While a part of the list cannot be read, a name belongs to whom it was given."""
    assert {"pipe_1": "orders (pipe_1)"} == await names([NEW, {}], known={"pipe_9": "orders"})


async def test_a_name_that_looks_like_one_of_ours() -> None:
    """However pipelines are called, no two have one name."""
    sly = item("pipe_5", "orders (pipe_1)", created_at="2025-01-01T00:00:00Z")
    expected = {"pipe_5": "orders (pipe_1)", "pipe_9": "orders", "pipe_1": "orders (pipe_1) (pipe_1)"}
    assert expected == await names([OLD, NEW, sly])
