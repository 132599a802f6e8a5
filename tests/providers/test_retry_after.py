"""A vendor that asks for quiet gets it: Retry-After holds the whole budget."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.providers import budget, http
from exporter.providers.budget import Priority
from exporter.providers.errors import StatusError
from tests.providers.loopback import answer, asking, loopback

if TYPE_CHECKING:
    from collections.abc import Collection

NOW = 1795246231.0  # Sat, 21 Nov 2026 07:30:31 GMT


@pytest.fixture(autouse=True)
def _standing_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setattr(http, "time", SimpleNamespace(time=lambda: NOW))


async def held_by(status: str, retry_after: str, also: Collection[int] = ()) -> tuple[float, int]:
    """Ask a server that says Retry-After; return how long the budget is held, and how often the server was asked."""
    reply = answer(b"{}", status=status, headers=[f"Retry-After: {retry_after}"])
    async with loopback(reply) as server, asking(server.url) as asked:
        if also:
            await asked.client.get("/x", priority=Priority.LIST, also=also)
        else:
            with pytest.raises(StatusError):
                await asked.client.get("/x", priority=Priority.LIST)
        return asked.budget.held_seconds, len(server.requests)


@pytest.mark.parametrize(
    ("retry_after", "held"),
    [
        ("5", 5.0),
        ("0", 0.0),
        ("Sat, 21 Nov 2026 07:31:31 GMT", 60.0),
        ("Sat, 21 Nov 2026 07:29:31 GMT", 0.0),
        ("86400", http.MAX_RETRY_AFTER_SECONDS),
        ("9" * 400, http.MAX_RETRY_AFTER_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", http.MAX_RETRY_AFTER_SECONDS),
    ],
)
@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
async def test_the_budget_is_held(status: str, retry_after: str, held: float) -> None:
    """Seconds and dates are understood, for an hour at most, and nothing is asked again meanwhile."""
    assert (held, 1) == await held_by(status, retry_after)


@pytest.mark.parametrize("retry_after", ["soon", "-5", "", "5.5", "²", "Sat, 21 Nov 2026 07:30:31 +99999999999999999"])
async def test_nonsense_is_ignored(retry_after: str) -> None:
    """A header that is neither a number of seconds nor a date is as good as none: the request is tried again."""
    assert (0.0, http.ATTEMPTS) == await held_by("503 Service Unavailable", retry_after)


async def test_an_expected_status_holds_too() -> None:
    """The health's own 503 can come from a proxy that asks for quiet."""
    assert (30.0, 1) == await held_by("503 Service Unavailable", "30", also=(503,))


@given(st.text())
def test_any_header_is_survived(value: str) -> None:
    """Whatever stands in the header, the result is nothing or within bounds."""
    seconds = http._retry_after(value)
    assert seconds is None or 0.0 <= seconds <= http.MAX_RETRY_AFTER_SECONDS
