"""The command line. Exit status: 0 stopped as asked, 1 failed while running, 2 wrong usage or configuration."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from exporter import __version__, log
from exporter import config as configuration
from exporter.app import Exporter
from exporter.config._units import parse_duration
from exporter.journal import JournalError
from exporter.otlp.settings import SettingsError, read_settings
from exporter.providers.registry import provider_names
from exporter.replay import ReplayError, replay
from exporter.running import check_online, demo, run, stop_on_signals
from exporter.simulator import ScenarioError, SimulatorOptions, run_simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import IO, Any

P = ParamSpec("P")
T = TypeVar("T")

_FILE = click.Path(path_type=Path)
_config_option = click.option(
    "--config", "path", required=True, type=_FILE, metavar="FILE", help="The YAML configuration."
)
_web_option = click.option(
    "--web.config.file", "web_path", type=_FILE, metavar="FILE", help="TLS and basic authentication."
)


class _Failed(click.ClickException):
    """Something failed while running."""

    exit_code = 1


class _Refused(click.ClickException):
    """The configuration cannot be used."""

    exit_code = 2


class _BadFile(_Refused):
    """A configuration file is wrong. Shown without click's `Error: `, so that lines begin with the place, as editors expect."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the errors, one a line."""
        click.echo(self.message, file=file or sys.stderr)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pipeline-exporter")
def main() -> None:
    """Show what hosted data pipelines do as Prometheus metrics."""


@main.command("run")
@_config_option
@_web_option
@click.option("--web.enable-lifecycle", "lifecycle", is_flag=True, help="Answer POST /-/reload from anywhere.")
def run_command(path: Path, web_path: Path | None, *, lifecycle: bool) -> None:
    """Run the service. SIGHUP loads the configuration again, SIGTERM stops."""
    config = _load(path)
    web = _load_web(web_path)
    log.set_up(config.log.level, config.log.format)

    async def serve() -> None:
        await run(Exporter(path, config, web, web_path=web_path, lifecycle=lifecycle))

    _run(serve(), (SettingsError,))


@main.command("check")
@_config_option
@_web_option
@click.option("--online", is_flag=True, help="Ask each source whether it answers and takes the credentials.")
def check_command(path: Path, web_path: Path | None, *, online: bool) -> None:
    """Check the configuration."""
    config = _load(path)
    _load_web(web_path)
    found = asyncio.run(check_online(config)) if online else {}
    rows = [("source", "provider", "url", "result" if online else "")]
    for source in config.sources:
        result = found.get(source.name)
        verdict = f"{'ok' if result.ok else 'FAILED'}: {result.found}" if result else ""
        rows.append((source.name, source.provider, source.url, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[3]]).rstrip())
    if not all(result.ok for result in found.values()):
        raise SystemExit(1)
    for file in filter(None, (path, web_path)):
        click.echo(f"{file}: valid")


class _Duration(click.ParamType[float]):
    """`500ms`, `15s`, `1m`, as in the configuration."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error).replace("{value}", repr(value)), param, ctx)


@main.command("replay")
@click.argument("file", type=_FILE)
@_config_option
@click.option(
    "--timeout", type=_Duration(), default="1m", show_default=True, help="Give up when nothing is accepted for so long."
)
def replay_command(file: Path, path: Path, timeout: float) -> None:
    """Send a dead-letter FILE again; what is accepted is taken out of it.

    Exit status: 0 all was sent, 1 something stays in the file.
    """
    config = _load(path)
    log.set_up(config.log.level, config.log.format)

    async def send() -> None:
        settings = read_settings(config.otlp, os.environ)
        if settings is None:
            raise SettingsError(f"{path} has no `otlp` block: there is nowhere to send to")
        done = await replay(file, settings, timeout, lambda problem: click.echo(f"{file}: {problem}", err=True))
        click.echo(f"{done.sent} records sent")
        if done.problems:
            raise _Failed(f"not all was sent: the rest is in {file}")

    _run(send(), (SettingsError, ReplayError))


@main.command("schema")
def schema_command() -> None:
    """Print the JSON schema of the configuration, for editors."""
    click.echo(json.dumps(configuration.schema(provider_names()), indent=2))


_pipelines_option = click.option(
    "--feldera", type=click.IntRange(min=0), default=8, show_default=True, help="How many Feldera pipelines."
)


def _counts(others: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Give a command the options that say how many of each vendor's pipelines there are."""

    def decorate(command: Callable[P, T]) -> Callable[P, T]:
        for vendor, count, what in (("goldrush", others, "GoldRush pipelines"), ("apify", others, "Apify Actors")):
            command = click.option(
                f"--{vendor}", type=click.IntRange(min=0), default=count, show_default=True, help=f"How many {what}."
            )(command)
        return _pipelines_option(command)

    return decorate


_seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of all that happens by chance.")
_speed_option = click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    help="How fast things happen.",
)
_faults_option = click.option(
    "--faults", type=click.FloatRange(0, 1), default=0.0, show_default=True, help="The part of all requests that fail."
)


@main.command("demo")
@click.option("--listen", default="127.0.0.1:10067", show_default=True, help="Where the service listens.")
@_counts(others=4)
@_seed_option
@_speed_option
@_faults_option
def demo_command(listen: str, **simulated: Any) -> None:
    """Run the service against the bundled simulator: no account, no other server."""
    log.set_up("warning", "text")
    options = SimulatorOptions(listen="127.0.0.1:0", **simulated)
    _run(demo(options, listen, click.echo), (configuration.ConfigError, ValueError))


@main.command("simulator")
@click.option("--listen", default="127.0.0.1:8080", show_default=True, help="Where the simulated server listens.")
@_counts(others=0)
@_seed_option
@_speed_option
@_faults_option
@click.option("--scenario", type=_FILE, metavar="FILE", help="What happens, instead of chance: see docs/simulator.md.")
def simulator_command(listen: str, **simulated: Any) -> None:
    """Run a simulated server of all vendors, each at its own paths."""
    log.set_up("warning", "text")
    options = SimulatorOptions(listen=listen, **simulated)

    async def simulate() -> None:
        def ready(url: str) -> None:
            click.echo(f"Simulated vendors  {url}\nStop with Ctrl-C.")

        await run_simulator(options, ready=ready, stop=stop_on_signals())

    _run(simulate(), (ScenarioError, ValueError))


def _load(path: Path) -> configuration.Config:
    return _refusing(lambda: configuration.load(path, os.environ, provider_names()))


def _load_web(path: Path | None) -> configuration.WebConfig | None:
    return _refusing(lambda: configuration.load_web(path)) if path else None


def _refusing(load: Callable[[], T]) -> T:
    """Load something; what is wrong with it ends the command with status 2."""
    try:
        return load()
    except configuration.ConfigError as error:
        raise _BadFile(str(error)) from error


def _run(work: Coroutine[Any, Any, None], refused: tuple[type[Exception], ...] = ()) -> None:
    """Run until the end; what is known to go wrong ends the command with a message and a status."""
    try:
        asyncio.run(work)
    except refused as error:
        raise _Refused(str(error)) from error
    except (JournalError, OSError) as error:
        raise _Failed(str(error)) from error
