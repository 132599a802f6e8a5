"""The cache of real servers itself: where it is, that nothing is skipped, that an interruption does no harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import servers

if TYPE_CHECKING:
    from pathlib import Path


def build(folder: Path, version: str = "1.0.3") -> None:
    """Make a program that only says its version."""
    program = folder / "thing"
    program.write_text(f"#!/bin/sh\necho thing, version {version}\n")
    program.chmod(0o755)


def only(monkeypatch: pytest.MonkeyPatch, server: servers._Server) -> None:
    """Let this be the one server that is needed."""
    monkeypatch.setattr(servers, "_SERVERS", (server,))


THING = servers._Server("thing", "1.0", ("thing",), "nothing", build)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"PIPELINE_EXPORTER_SERVERS": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/pipeline-exporter-servers"),
        ({"XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/pipeline-exporter-servers"),
    ],
)
def test_folder(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str) -> None:
    """The folder is the one that is named, else the user's cache, else the usual place for that."""
    monkeypatch.setenv("HOME", environment["HOME"])
    assert expected == str(servers.cache_folder(environment))


def test_missing_is_an_error(tmp_path: Path) -> None:
    """A server that is not there is an error with the command that installs it."""
    with pytest.raises(servers.ServerError, match=r"prometheus 2\.42: no .*; get it with: .*servers"):
        servers.find(tmp_path)


def test_installed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing server is installed, and found the next time; both are said."""
    only(monkeypatch, THING)
    servers.install(tmp_path)
    assert "thing 1.0: installing" in capsys.readouterr().out
    servers.install(tmp_path)
    assert f"thing 1.0: found in {tmp_path}\n" == capsys.readouterr().out
    assert ["thing-1.0"] == [path.name for path in tmp_path.iterdir() if path.is_dir()]


def test_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an interrupted installation left is removed, and is never taken for a server."""
    only(monkeypatch, THING)
    (tmp_path / ".partial-x").mkdir()
    build(tmp_path / ".partial-x")
    (tmp_path / "thing-1.0").mkdir()
    servers.install(tmp_path)
    assert ["thing-1.0"] == [path.name for path in tmp_path.iterdir() if path.is_dir()]


def test_wrong_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version than the one that is needed is refused and not kept."""
    only(monkeypatch, servers._Server("thing", "1.0", ("thing",), "nothing", lambda folder: build(folder, "1.1.0")))
    with pytest.raises(servers.ServerError, match=r"thing 1\.0 is needed, but .*version 1\.1\.0"):
        servers.install(tmp_path)
    assert [] == [path.name for path in tmp_path.iterdir() if path.is_dir()]


def test_missing_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the tool that an installation needs, the error says how to get that."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(servers.ServerError, match=r"go is not on the PATH; get it with: the Go toolchain"):
        servers._from_go_module(tmp_path)
