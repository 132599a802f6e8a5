"""What the cluster monitor says of the parts of a Feldera server, and when it is not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.providers.errors import MalformedError
from tests.providers.documents import encoded, health
from tests.providers.loopback import answer, asking, loopback

if TYPE_CHECKING:
    from exporter.status.model import Component

DATE = "Sat, 21 Nov 2026 07:40:00 GMT"


async def components(document: Any, *, status: str = "200 OK", date: str | None = None) -> list[Component] | None:
    """Ask a server for the health that this document is."""
    headers = [] if date is None else [f"Date: {date}"]
    reply = answer(encoded(document), status=status, headers=headers)
    async with loopback(reply) as server, asking(server.url) as asked:
        found = await asked.feldera.health()
        return None if found is None else list(found.components)


@pytest.mark.parametrize(
    ("document", "date", "healthy"),
    [
        (health(), DATE, [True, True, True]),
        (health(runner="down"), DATE, [True, True, False]),
        (health(stale=False, checked_at="2026-11-20T00:00:00Z"), DATE, [True, True, True]),
        (health(stale=True), DATE, [False, False, False]),
        (health(checked_at="2026-11-21T07:20:00Z"), DATE, [False, False, False]),
        (health(checked_at="2026-11-21T07:26:00Z"), DATE, [True, True, True]),
        (health(checked_at="2026-11-20T07:20:00Z"), "Fri, 20 Nov 2026 07:21:00 GMT", [True, True, True]),
        (health(checked_at="2026-11-20T07:20:00Z"), None, [False, False, False]),
        (health(checked_at="2026-11-20T07:20:00Z"), "Sat, 21 Nov 2026 07:40:00 +9999999999999", [False, False, False]),
        (health(checked_at="nonsense"), DATE, [True, True, True]),
    ],
)
@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
async def test_a_stale_report_vouches_for_nothing(
    document: Any, date: str | None, healthy: list[bool], status: str
) -> None:
    """`stale` counts as unhealthy; where the server has no such word, a check older than 15 minutes by its own clock."""
    found = await components(document, status=status, date=date)
    assert found is not None
    assert [("api", "compiler", "runner"), healthy] == [
        tuple(part.name for part in found),
        [part.healthy for part in found],
    ]


async def test_before_the_first_check_there_is_no_health() -> None:
    """At the first boot the server answers 404: nothing is known, nothing has failed."""
    assert await components({"message": "none", "error_code": "X"}, status="404 Not Found") is None


@pytest.mark.parametrize("document", [[], {}, {"all_healthy": True}, {"api": {"healthy": "yes"}}, 7])
async def test_a_health_without_services_is_malformed(document: Any) -> None:
    """An answer that names no service is not the cluster's health."""
    with pytest.raises(MalformedError):
        await components(document)


async def test_a_proxys_503_is_named_in_the_message() -> None:
    """A 503 that is no report says that it was a 503."""
    page = answer(b"<p>", status="503 Busy", headers=["Content-Type: text/html"])
    async with loopback(page) as server, asking(server.url) as asked:
        with pytest.raises(MalformedError, match="answered 503 with a page for people"):
            await asked.feldera.health()
