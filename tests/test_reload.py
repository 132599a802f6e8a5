"""What a reload changes, refuses and says."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import aiohttp
import bcrypt
import pytest

from exporter.app import Exporter
from exporter.config import load, load_web
from exporter.journal import JournalError
from exporter.web import ReloadError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASH = "$2b$04$" + "a" * 53


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    """Put back the log level, which a reload sets for the whole process."""
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def written(folder: Path, *names: str) -> Path:
    """Write a configuration of sources that nobody answers."""
    sources = "".join(
        f"  - {{name: {name}, provider: feldera, url: 'http://127.0.0.1:1', interval: 1h}}\n" for name in names
    )
    path = folder / "config.yaml"
    path.write_text(f"listen: 127.0.0.1:0\ndata_dir: {folder}/data\nsources:\n{sources}")
    return path


async def test_sources_come_and_go_and_stay(tmp_path: Path) -> None:
    """A reload adds and removes sources; one that is the same goes on undisturbed."""
    path = written(tmp_path, "a", "b")
    exporter = Exporter(path, load(path, {}))
    await exporter.start()
    before = exporter.pollers["b"]
    written(tmp_path, "b", "c")
    await exporter.reload()
    assert (["b", "c"], True) == (list(exporter.source_names()), exporter.pollers["b"] is before)
    await exporter.stop()


async def test_reload_that_fails_halfway_is_made_good_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that could not be taken up is missing, said so, and taken up by the next reload."""
    path = written(tmp_path, "a")
    exporter = Exporter(path, load(path, {}))
    await exporter.start()
    written(tmp_path, "a", "b")
    read = exporter.journal.read_source

    async def fails(_name: str) -> None:
        raise JournalError("database or disk is full")

    monkeypatch.setattr(exporter.journal, "read_source", fails)
    with pytest.raises(ReloadError, match="load it again"):
        await exporter.reload()
    assert ["a"] == list(exporter.source_names())
    monkeypatch.setattr(exporter.journal, "read_source", read)
    await exporter.reload()
    assert ["a", "b"] == list(exporter.source_names())
    await exporter.stop()


async def test_changed_web_configuration_is_said_to_take_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Other headers are not taken for applied, and a bad file is refused."""
    path = written(tmp_path, "a")
    web_path = tmp_path / "web.yaml"
    web_path.write_text(f"basic_auth_users: {{anna: {HASH}}}\n")
    exporter = Exporter(path, load(path, {}), load_web(web_path), web_path=web_path)
    await exporter.start()
    web_path.write_text("http_server_config: {headers: {X-Frame-Options: deny}}\n")
    with caplog.at_level(logging.WARNING):
        await exporter.reload()
    assert f"{web_path} has changed: that takes a restart" in caplog.text
    web_path.write_text("nonsense: 1\n")
    with pytest.raises(ReloadError, match="nonsense"):
        await exporter.reload()
    await exporter.stop()


def hashed(password: str) -> str:
    """Return a hash that is soon made."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


async def test_changed_users_are_let_in_with_a_reload(tmp_path: Path) -> None:
    """Who was taken out of the file gets in no more, also with a password that was right before; who is new does."""
    path = written(tmp_path, "a")
    web_path = tmp_path / "web.yaml"
    web_path.write_text(f"basic_auth_users: {{anna: '{hashed('anna')}'}}\n")
    exporter = Exporter(path, load(path, {}), load_web(web_path), web_path=web_path)
    await exporter.start()

    async def statuses() -> list[int]:
        async with aiohttp.ClientSession(exporter.web.addresses[0]) as session:
            headers = [{"Authorization": aiohttp.encode_basic_auth(name, name)} for name in ("anna", "berta")]
            return [(await session.get("/metrics", headers=one)).status for one in headers]

    before = await statuses()
    web_path.write_text(f"basic_auth_users: {{berta: '{hashed('berta')}'}}\n")
    waiting = await exporter.reload()
    assert ([200, 401], [], [401, 200]) == (before, waiting, await statuses())
    await exporter.stop()


async def test_what_takes_a_restart_is_said_until_then(tmp_path: Path) -> None:
    """Each reload names the keys that are not as the service was started with; set back, they are no change."""
    path = written(tmp_path, "a")
    exporter = Exporter(path, load(path, {}))
    await exporter.start()
    before = path.read_text()
    path.write_text(
        before.replace("127.0.0.1:0", "127.0.0.1:1").replace("/data", "/elsewhere") + "log: {format: json}\n"
    )
    for _ in range(2):
        assert ["listen", "data_dir", "log.format"] == await exporter.reload()
    path.write_text(before)
    assert [] == await exporter.reload()
    await exporter.stop()
