"""Basic authentication and TLS."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING
from unittest.mock import patch

import aiohttp
import bcrypt
import pytest
import trustme

from exporter.web import credentials
from exporter.web.credentials import Credentials, TooManyComparisonsError
from tests.web.fake import FakeService

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.web.conftest import Start

LONG = "p" * 100
USERS = {
    "alice": bcrypt.hashpw(b"wonderland", bcrypt.gensalt(4)),
    "bob": bcrypt.hashpw(LONG[:72].encode(), bcrypt.gensalt(4)),
    "zoë": bcrypt.hashpw("schlüssel:1".encode(), bcrypt.gensalt(4)),
}


def basic(user: str, password: str) -> str:
    """Make the header's value."""
    return aiohttp.encode_basic_auth(user, password, "utf-8")


@pytest.fixture
def checker() -> Iterator[Credentials]:
    """Give credentials for the three users."""
    made = Credentials(USERS)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("authorization", "accepted"),
    [
        (basic("alice", "wonderland"), True),
        (basic("alice", "wonderland").replace("Basic", "BASIC"), True),
        (basic("bob", LONG), True),
        (basic("zoë", "schlüssel:1"), True),
        (basic("alice", "wrong"), False),
        (basic("alice", ""), False),
        (basic("alice", "wonder\0land"), False),
        (basic("carol", "wonderland"), False),
        (basic("", "wonderland"), False),
        (basic("Alice", "wonderland"), False),
        ("Basic", False),
        ("Basic !!!", False),
        ("Basic YWxpY2U=", False),
        ("Basic //86//8=", False),
        ("Bearer wonderland", False),
        ("", False),
        (None, False),
    ],
)
async def test_accept(checker: Credentials, authorization: str | None, accepted: bool) -> None:
    """Only a known user with the right password is accepted; whatever else the header holds is not."""
    assert accepted == await checker.accept(authorization)


async def test_remembered(checker: Credentials) -> None:
    """A right password is compared once, a wrong one each time, an unknown user's too."""
    with patch.object(credentials, "_check", wraps=credentials._check) as check:
        for password in ("wonderland", "wonderland", "wrong", "wrong"):
            await checker.accept(basic("alice", password))
        assert 3 == check.call_count
        await checker.accept(basic("carol", "wonderland"))
        assert 4 == check.call_count


async def test_no_plain_passwords(checker: Credentials) -> None:
    """What is remembered does not hold the password, and means nothing to another process."""
    other = Credentials(USERS)
    for each in (checker, other):
        assert await each.accept(basic("alice", "wonderland"))
    assert set() == set(checker._verified) & set(other._verified)
    other.close()


async def test_bounded_memory(checker: Credentials, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more passwords are remembered than the limit."""
    monkeypatch.setattr(credentials, "MAX_VERIFIED", 2)
    for user, password in (("alice", "wonderland"), ("bob", LONG), ("bob", LONG[:80]), ("zoë", "schlüssel:1")):
        assert await checker.accept(basic(user, password))
    assert 2 == len(checker._verified)


async def test_bounded_queue(checker: Credentials) -> None:
    """A flood of guesses is refused beyond a few; a remembered password passes meanwhile."""
    assert await checker.accept(basic("alice", "wonderland"))
    guesses = [checker.accept(basic("alice", f"guess {number}")) for number in range(credentials.MAX_WAITING + 5)]
    flood = asyncio.gather(*guesses, return_exceptions=True)
    await asyncio.sleep(0)
    assert await checker.accept(basic("alice", "wonderland"))
    outcomes = await flood
    assert 5 == sum(isinstance(outcome, TooManyComparisonsError) for outcome in outcomes)
    assert credentials.MAX_WAITING == outcomes.count(False)


@pytest.mark.parametrize("path", ["/", "/metrics", "/-/healthy", "/-/ready", "/nothing"])
async def test_every_path(start: Start, path: str) -> None:
    """With users, every path needs one, also those that do not exist."""
    client = await start(FakeService(), users=USERS)
    async with client.get(path) as response:
        assert (401, "401 Unauthorized\n") == (response.status, await response.text())
        assert response.headers["WWW-Authenticate"].startswith("Basic ")
    async with client.get(path, headers={"Authorization": basic("alice", "wonderland")}) as response:
        assert (404 if path == "/nothing" else 200) == response.status


async def test_reload_needs_user(start: Start) -> None:
    """A reload without a user is not done, on loopback neither."""
    service = FakeService()
    client = await start(service, users=USERS)
    async with client.post("/-/reload") as response:
        assert (401, 0) == (response.status, service.reloads)


async def test_tls(start: Start) -> None:
    """With a certificate, the server speaks HTTPS and its address says so."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    connector = aiohttp.TCPConnector(ssl=client)
    session = await start(FakeService(), ssl_context=server, session={"connector": connector})
    async with session.get("/metrics") as response:
        assert ("https", 200) == (response.url.scheme, response.status)
