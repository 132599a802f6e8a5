"""Run the service until it is told to stop: signals, the demo, the check."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from exporter import compiled
from exporter.app import Exporter
from exporter.config import load
from exporter.providers.budget import Budgets
from exporter.providers.errors import ProviderError
from exporter.providers.registry import BUILT_IN, provider_names
from exporter.simulator import SimulatorOptions, run_simulator
from exporter.sources import make_provider, share
from exporter.status.model import Known
from exporter.web import ReloadError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from exporter.config import Config, Source
    from exporter.providers.budget import Budget

_GARBAGE_OBJECTS = 50_000
"""New objects before garbage is looked for. A block of log lines makes thousands that live only until it is committed."""

DEMO_LOGS = "logs.jsonl"

_log = logging.getLogger(__name__)


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set; a second one ends the process at once.

    The handlers outlive the event loop: a signal that comes while the process is about to exit finds them too.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set() or loop.is_closed():
            # Stopped as asked, only sooner: what is in the journal is safe at any moment.
            os._exit(0)
        loop.call_soon_threadsafe(stop.set)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, asked)
    return stop


async def run(exporter: Exporter, started: Callable[[], None] = lambda: None) -> None:
    """Run the service until a signal; `started` is called once it listens. Raises JournalError or OSError at the start."""
    stop = stop_on_signals()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, exporter, set[asyncio.Task[None]]())
    await exporter.start()
    gc.freeze()  # modules and tables live as long as the process
    gc.set_threshold(_GARBAGE_OBJECTS)
    if not compiled.is_complete():
        _log.info("no C compiler was found at the installation: reading logs takes about twice the CPU time")
    started()
    await stop.wait()
    _log.info("stopping")
    await exporter.stop()
    _log.info("stopped")


def _reload(exporter: Exporter, tasks: set[asyncio.Task[None]]) -> None:
    async def reload() -> None:
        with contextlib.suppress(ReloadError):  # it has been logged, and shows in the metrics
            await exporter.reload()

    task = asyncio.get_running_loop().create_task(reload())
    tasks.add(task)  # the loop itself keeps no reference
    task.add_done_callback(tasks.discard)


async def demo(options: SimulatorOptions, listen: str, say: Callable[[str], None]) -> None:
    """Run the service against the simulator, in one process and with a journal that is thrown away."""
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    simulator = asyncio.create_task(run_simulator(options, ready=url.set_result, stop=stop))
    try:
        waiting: set[asyncio.Future[Any]] = {simulator, url}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if simulator.done():
            simulator.result()
        with tempfile.TemporaryDirectory(prefix="pipeline-exporter-demo-") as folder:
            path = _demo_configuration(Path(folder), listen, url.result())
            exporter = Exporter(path, load(path, {}, provider_names()))
            await run(
                exporter, lambda: say(_where_to_look(url.result(), exporter.web.addresses[0], path.parent / DEMO_LOGS))
            )
    finally:
        stop.set()
        await simulator


def _demo_configuration(folder: Path, listen: str, url: str) -> Path:
    path = folder / "demo.yaml"
    keys = {
        "listen": listen,
        "data_dir": str(folder / "data"),
        "log": {"level": "warning"},
        "defaults": {"interval": "2s", "budget": "50/s", "api_key": "demo"},
        "sources": [{"name": name, "provider": name, "url": url} for name in BUILT_IN],
        "otlp": {"protocol": "file", "endpoint": str(folder / DEMO_LOGS)},
    }
    path.write_text(yaml.safe_dump(keys))
    return path


def _where_to_look(simulator: str, page: str, logs: Path) -> str:
    return (
        f"Page for people           {page}\n"
        f"Metrics for Prometheus    {page}metrics\n"
        f"Logs, as OTLP JSON lines  {logs}\n"
        f"Spans of Apify's runs     {logs}.traces\n"
        f"Simulated vendors         {simulator}\n"
        "Stop with Ctrl-C; journal and logs are thrown away then."
    )


class Checked(NamedTuple):
    """What an online check found of one source."""

    ok: bool
    found: str


async def check_online(config: Config) -> dict[str, Checked]:
    """Ask every source at the same time whether it answers and takes its credentials; by its name."""
    budgets = share(Budgets(), config.sources)
    results = await asyncio.gather(*(_check(source, budgets[source.name]) for source in config.sources))
    return dict(zip((source.name for source in config.sources), results, strict=True))


async def _check(source: Source, budget: Budget) -> Checked:
    provider = make_provider(source, budget, lambda _code: None, time.time)
    alive = True
    try:
        try:
            await provider.alive()
        except ProviderError:
            alive = False
        # Of no pipeline more than its name: with a small budget all the rest would take long.
        listing = await provider.list(Known(selects=lambda _name: False))
        names = [pipeline.name for pipeline in listing.pipelines]
        selected = sum(source.selects(name) for name in names)
        server = await provider.describe()
    except ProviderError as error:
        return Checked(ok=False, found=f"{error}" + ("; the server itself says that it is healthy" if alive else ""))
    finally:
        await provider.close()
    problems = [f"{listing.malformed} could not be read"] if listing.malformed else []
    problems += [str(error) for error in (listing.problem, *listing.failures.values()) if error is not None][:1]
    problem = "".join(f", {one}" for one in problems)
    chosen = f"{selected} of {len(names)} pipelines selected"
    if names and not selected:
        chosen = f"of {len(names)} pipelines none selected: look at include and exclude"
    return Checked(not problems, f"{server}, {chosen}{problem}")
