"""The real servers of the integration tests: found in a cache folder outside the tree, installed there when missing.

`python -m tests.integration.servers` installs what is missing and says what it does. The tests themselves only look:
a server that is not there is an error that names this command, never a skipped test.

Each server has a folder of its own in the cache. It is made under a temporary name and renamed when it is whole, so an
interrupted installation leaves nothing that could be taken for a server.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FOLDER_VARIABLE = "PIPELINE_EXPORTER_SERVERS"
INSTALL_COMMAND = "python -m tests.integration.servers"

_MODULE = "github.com/prometheus/prometheus"
_MODULE_VERSION = "v0.315.0"
_VERSION_SYMBOL = "github.com/prometheus/common/version.Version"
_LOKI = "github.com/grafana/loki/v3"
_MODULES = Path(__file__).parent
_GO = "the Go toolchain, 1.26 or newer (apt-get install golang, where that is new enough)"


class ServerError(Exception):
    """A server is missing or cannot be installed. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the programs are."""

    prometheus2: Path
    prometheus3: Path
    promtool: Path
    collector: Path
    loki: Path


@dataclass(frozen=True, slots=True)
class _Server:
    name: str
    version: str
    programs: tuple[str, ...]
    cost: str
    build: Callable[[Path], None]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where the servers are kept: the folder that the environment names, else one in the user's cache."""
    if named := environment.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "pipeline-exporter-servers"


def find(folder: Path | None = None) -> Servers:
    """Look up every server; ServerError with the command that installs it when one is missing."""
    folder = folder or cache_folder()
    for server in _SERVERS:
        if missing := _missing(folder, server):
            raise ServerError(f"{server.name} {server.version}: no {missing}; get it with: {INSTALL_COMMAND}")
    return Servers(
        prometheus2=folder / "prometheus-2.42/usr/bin/prometheus",
        prometheus3=folder / "prometheus-3.15/prometheus",
        promtool=folder / "prometheus-2.42/usr/bin/promtool",
        collector=folder / "otelcol-0.155.0/otelcol",
        loki=folder / "loki-3.7.8/loki",
    )


def install(folder: Path | None = None) -> Servers:
    """Install the servers that are missing, and say so; ServerError when a tool for that is missing or fails."""
    folder = folder or cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for left_over in folder.glob(".partial-*"):
            click.echo(f"removing {left_over}, left by an interrupted installation")
            shutil.rmtree(left_over)
        for server in _SERVERS:
            if _missing(folder, server):
                _install_one(folder, server)
            else:
                click.echo(f"{server.name} {server.version}: found in {folder}")
    return find(folder)


def _install_one(folder: Path, server: _Server) -> None:
    click.echo(f"{server.name} {server.version}: installing into {folder} ({server.cost})")
    target = folder / f"{server.name}-{server.version}"
    if target.exists():
        shutil.rmtree(target)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        server.build(partial)
        _check_version(partial / server.programs[0], server.version)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _missing(folder: Path, server: _Server) -> Path | None:
    programs = (folder / f"{server.name}-{server.version}" / program for program in server.programs)
    return next((program for program in programs if not os.access(program, os.X_OK)), None)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one installation at a time work in the folder; the lock goes with the process that holds it."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _from_debian(folder: Path) -> None:
    # Unpacked and not installed: that needs no root, and starts no service.
    _need("apt-get", "a Debian or Ubuntu machine; elsewhere put Prometheus 2.42 and promtool there by hand")
    _need("dpkg", "apt-get install dpkg")
    download = ("apt-get", "-o", "APT::Sandbox::User=root", "download", "prometheus")
    try:
        _run(download, folder)
    except ServerError:
        if os.geteuid() != 0:
            raise
        _run(("apt-get", "update"), folder)
        _run(download, folder)
    package = next(folder.glob("prometheus_*.deb"))
    _run(("dpkg", "-x", package.name, "."), folder)
    package.unlink()


def _from_go_module(folder: Path) -> None:
    # A module that only requires it: `go install` refuses the replace lines of Prometheus's own.
    _need("go", _GO)
    flags = f"-s -w -X {_VERSION_SYMBOL}=3.15.0"
    build = ("go", "build", "-mod=mod", "-tags", "remove_all_sd", "-ldflags", flags, f"{_MODULE}/cmd/prometheus")
    _run(("go", "mod", "init", "servers"), folder)
    _run(("go", "get", f"{_MODULE}@{_MODULE_VERSION}"), folder)
    _run(build, folder)


def _collector(folder: Path) -> None:
    # The module is in the tree with all its checksums; building it writes nothing there.
    _need("go", _GO)
    build = ("go", "build", "-mod=readonly", "-ldflags", "-s -w", "-o", str(folder / "otelcol"), ".")
    _run(build, _MODULES / "collector")


def _loki(folder: Path) -> None:
    # In the tree is only what a module needs to say that requires Loki; the rest follows from Loki's own.
    _need("go", _GO)
    shutil.copy(_MODULES / "loki" / "go.mod", folder)
    flags = f"-s -w -X {_LOKI}/pkg/util/build.Version=3.7.8"
    _run(("go", "build", "-mod=mod", "-tags", "netgo", "-ldflags", flags, f"{_LOKI}/cmd/loki"), folder)


def _need(tool: str, how: str) -> None:
    if shutil.which(tool) is None:
        raise ServerError(f"{tool} is not on the PATH; get it with: {how}")


def _run(command: tuple[str, ...], folder: Path) -> str:
    """Run a command in a folder and give its standard output; ServerError with all it wrote when it fails."""
    click.echo("  " + " ".join(command))
    environment = {**os.environ, "CGO_ENABLED": "0", "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"`{' '.join(command)}` ended with status {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _check_version(program: Path, version: str) -> None:
    said = _run((str(program), "--version"), program.parent)
    if not re.search(rf"version {re.escape(version)}\b", said):
        raise ServerError(f"{program.name} {version} is needed, but this package source gives: {said.splitlines()[:1]}")


_SERVERS = (
    _Server("prometheus", "2.42", ("usr/bin/prometheus", "usr/bin/promtool"), "seconds", _from_debian),
    _Server("prometheus", "3.15", ("prometheus",), "about 190 CPU seconds the first time", _from_go_module),
    _Server("otelcol", "0.155.0", ("otelcol",), "about 120 CPU seconds the first time", _collector),
    _Server("loki", "3.7.8", ("loki",), "530 to 890 CPU seconds the first time", _loki),
)


def main() -> int:
    """Install what is missing; exit status 1 with the reason when that fails."""
    try:
        install()
    except ServerError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
