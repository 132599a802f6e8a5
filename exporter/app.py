"""The service: journal, pollers, scheduler and web server, wired; started, reloaded and stopped together."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING

from exporter.config import ConfigError, load, load_web, parse_address
from exporter.delivery import Delivery, StatusEvents
from exporter.journal import Journal, JournalError
from exporter.otlp.settings import SettingsError, read_destinations
from exporter.overview import lines_read, overview
from exporter.polling.scheduler import Scheduler
from exporter.providers.budget import Budgets
from exporter.providers.registry import provider_names
from exporter.sources import make_poller, make_provider, share
from exporter.status.exposition import Exposition
from exporter.status.gzipped import Group, GzipCache
from exporter.tailing import SourceLogs
from exporter.tailing.rates import LogRates
from exporter.telemetry import Telemetry
from exporter.tracing import SourceSpans, Tracing
from exporter.web import ReloadError, WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from pathlib import Path

    from exporter.config import Config, Source, WebConfig
    from exporter.polling.poller import Poller
    from exporter.web import Overview

STOP_SECONDS = 5.0
"""Answers under way get so long to end after SIGTERM."""

_log = logging.getLogger(__name__)


class Exporter:
    """The whole service over one configuration file. It is what the web server asks."""

    def __init__(
        self,
        path: Path,
        config: Config,
        web: WebConfig | None = None,
        *,
        web_path: Path | None = None,
        lifecycle: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.config = self._started_with = config
        self.telemetry = Telemetry()
        self.journal = Journal(config.data_dir)
        self.journal.on_replaced = self._write_again
        self.scheduler = Scheduler(self.telemetry)
        self.observed = Exposition(clock)
        self.log_rates = LogRates(lambda: lines_read(self.pollers.values()))
        self._looking: asyncio.Task[None] | None = None
        self.pollers: dict[str, Poller] = {}
        self.logs: dict[str, SourceLogs] = {}
        self.delivery: Delivery | None = None
        self.tracing: Tracing | None = None
        self.started_seconds = clock()
        self.reload_error: str | None = None
        self.reload_seconds = clock()
        self._clock = clock
        self._budgets = Budgets()
        self._gzipped: dict[bool, GzipCache] = {}
        """By whether it is OpenMetrics."""
        self._reloading = asyncio.Lock()
        self._web_config, self._web_path = web, web_path
        self.web = WebServer(
            self,
            listen=[parse_address(address) for address in config.listen],
            lifecycle=lifecycle,
            users=web.users if web else None,
            headers=web.headers if web else None,
            ssl_context=web.ssl_context() if web else None,
        )

    async def start(self) -> None:
        """Open the journal, take up the counts, listen, and begin to poll. Raises JournalError or OSError."""
        self.telemetry.reload_successful.set(1)
        self.telemetry.reload_timestamp.set(self.reload_seconds)
        self.telemetry.journal_limit_bytes.set(self.config.journal.limit)
        await self.journal.open()
        try:
            await self._open_delivery()
            await self._add_sources(self.config.sources, zeros=self.config.metrics.zeros)
            await self.web.start()
        except BaseException:
            await self._close()
            raise
        self.scheduler.start()
        self._looking = asyncio.create_task(self.log_rates.run(), name="log rates")

    async def stop(self) -> None:
        """End what is under way in bounded time and close the journal."""
        try:
            # A reload under way comes first: both take the same things down.
            await asyncio.wait_for(self._reloading.acquire(), STOP_SECONDS)
        except TimeoutError:
            _log.warning("the configuration is still being loaded: the service stops all the same")
        if self._looking is not None:
            self._looking.cancel()
        await self.scheduler.stop()
        await self.web.stop(STOP_SECONDS)
        await self._close()

    async def _open_delivery(self) -> None:
        """Begin to send records and spans, each where a destination is configured. Raises SettingsError or JournalError."""
        destinations = read_destinations(self.config.otlp, os.environ)
        if destinations.logs is not None:
            self.delivery = Delivery(destinations.logs, self.config, self.journal, self.telemetry)
            await self.delivery.start()
        if destinations.traces is not None:
            self.tracing = Tracing(destinations.traces, self.config.journal.limit, self.journal, self.telemetry)
            await self.tracing.start()

    async def _close_delivery(self) -> None:
        while self.logs:
            await self.logs.popitem()[1].stop()
        await asyncio.gather(*(part.stop() for part in (self.delivery, self.tracing) if part is not None))
        self.delivery = self.tracing = None

    async def _close(self) -> None:
        await self._close_delivery()
        for poller in list(self.pollers.values()):
            await poller.provider.close()
        await self.journal.close()

    async def _add_sources(self, sources: Iterable[Source], *, zeros: bool) -> None:
        budgets = share(self._budgets, self.config.sources)
        for source in sources:
            budget = budgets[source.name]
            provider = make_provider(source, budget, self._count_request(source.name), self._clock)
            poller = make_poller(source, provider, budget, self.journal, self._clock, zeros=zeros)
            await poller.restore()
            if self.delivery is not None:
                await self._read_logs(source, poller, self.delivery)
            if self.tracing is not None:
                poller.source.traces = SourceSpans(self.tracing, source.provider, source.name, source.attributes)
            self.pollers[source.name] = poller
            self.telemetry.add_source(source.name, poller.budget.available)
            self.scheduler.add(poller)
        self._show_sources()

    async def _read_logs(self, source: Source, poller: Poller, delivery: Delivery) -> None:
        """Send a source's status changes as events, and read its logs where that is wanted. Raises JournalError."""
        poller.source.events = StatusEvents(delivery, source.provider, source.name, source.attributes)
        if source.logs.enabled and poller.provider.logs is not None:
            logs = SourceLogs(
                source,
                poller.provider,
                delivery.outbox,
                self.journal,
                poller.source,
                self._clock,
                jobs=poller.jobs.known,
            )
            poller.jobs.reads_logs = True
            await logs.restore()
            self.logs[source.name] = logs
            poller.on_list = logs.sync

    async def _remove_source(self, name: str) -> None:
        poller = self.pollers.pop(name)
        await self.scheduler.remove(name)
        if name in self.logs:
            await self.logs.pop(name).stop()
        await poller.provider.close()
        self.telemetry.remove_source(name)

    def _write_again(self) -> None:
        """Have all that is known in memory written again: the journal was corrupt and has begun anew."""
        for poller in self.pollers.values():
            poller.source.write_again()
        for logs in self.logs.values():
            logs.write_again()
        for part in (self.delivery, self.tracing):
            if part is not None:
                part.write_again()

    def _show_sources(self) -> None:
        order = [source.name for source in self.config.sources]
        self.pollers = {name: self.pollers[name] for name in sorted(self.pollers, key=order.index)}
        self.observed.set_sources([poller.source.series for poller in self.pollers.values()])
        # New ones, so that they do not keep the lines of sources that are gone.
        self._gzipped = {openmetrics: GzipCache() for openmetrics in (False, True)}

    def _count_request(self, source: str) -> Callable[[str], None]:
        return lambda code: self.telemetry.api_requests.labels(source, code).inc()

    async def reload(self) -> Sequence[str]:
        """Apply the configuration file as it is now; sources that are the same go on undisturbed.

        Returns what has changed and takes a restart.

        Raises ReloadError when the file is refused; the old configuration stays in force.
        """
        async with self._reloading:
            try:
                config = await asyncio.to_thread(load, self.path, os.environ, provider_names())
                web = await asyncio.to_thread(load_web, self._web_path) if self._web_path is not None else None
                read_destinations(config.otlp, os.environ)
            except (ConfigError, SettingsError) as error:
                self.reload_error = str(error)
                self.telemetry.reload_successful.set(0)
                _log.error("the new configuration is refused, the old one stays: %s", error)
                raise ReloadError(str(error)) from error
            try:
                await self._apply(config)
            except (JournalError, ValueError) as error:
                self.reload_error = f"the configuration could not be applied as a whole, load it again: {error}"
                self.telemetry.reload_successful.set(0)
                _log.error("%s", self.reload_error)
                raise ReloadError(self.reload_error) from error
            if web is not None:
                self.web.replace_users(web.users)
            self.reload_error = None
            self.reload_seconds = self._clock()
            self.telemetry.reload_successful.set(1)
            self.telemetry.reload_timestamp.set(self.reload_seconds)
            _log.info("the configuration was loaded again from %s", self.path)
            waiting = self._takes_restart(config, web)
            for key in waiting:
                _log.warning("%s has changed: that takes a restart", key)
            return waiting

    def _takes_restart(self, config: Config, web: WebConfig | None) -> Sequence[str]:
        """Return the keys that are not as they were when the service started, of those that a reload does not apply."""
        keys = [key for key in ("listen", "data_dir") if getattr(config, key) != getattr(self._started_with, key)]
        if config.log.format != self._started_with.log.format:
            keys.append("log.format")
        if web is not None and self._web_config is not None and web.without_users() != self._web_config.without_users():
            keys.append(str(self._web_path))
        return keys

    async def _apply(self, config: Config) -> None:
        before = {source.name: source for source in self.config.sources}
        after = {source.name: source for source in config.sources}
        same = all(getattr(config, key) == getattr(self.config, key) for key in ("metrics", "otlp", "journal"))
        kept = {name for name, source in after.items() if same and name in self.pollers and before.get(name) == source}
        for name in self.pollers.keys() - kept:
            await self._remove_source(name)
        self.config = config
        if not same:
            await self._close_delivery()
            await self._open_delivery()
        self.telemetry.journal_limit_bytes.set(config.journal.limit)
        logging.getLogger().setLevel(config.log.level.upper())
        await self._add_sources([after[name] for name in after if name not in kept], zeros=config.metrics.zeros)

    def exposition(self, *, openmetrics: bool, sources: frozenset[str] | None) -> bytes:
        """Render all metrics, or those of some sources and the exporter's own."""
        parts = self.observed.parts(openmetrics=openmetrics, only=sources)
        return b"".join([*parts, self._own_metrics(openmetrics=openmetrics)])

    def exposition_gzip(self, *, openmetrics: bool, sources: frozenset[str] | None) -> bytes:
        """Render the same, gzipped."""
        groups = self.observed.groups(openmetrics=openmetrics, only=sources)
        return self._gzipped[openmetrics].body([*groups, Group(None, [self._own_metrics(openmetrics=openmetrics)])])

    def _own_metrics(self, *, openmetrics: bool) -> bytes:
        for name, logs in list(self.logs.items()):
            self.telemetry.show_streams(name, opened=logs.open, queued=logs.queued)
        outbox = self.delivery.outbox if self.delivery is not None else None
        self.telemetry.journal_bytes.set(outbox.waiting_bytes if outbox else 0)
        self.telemetry.journal_records.set(outbox.waiting_records if outbox else 0)
        self.telemetry.journal_oldest.set((outbox.oldest_seconds if outbox else None) or 0)
        return self.telemetry.expose(openmetrics=openmetrics)

    def source_names(self) -> Collection[str]:
        """Return the names of the configured sources."""
        return list(self.pollers)

    def overview(self, *, source: str | None, q: str, limit: int) -> Overview:
        """Return what the page shows."""
        return overview(self, source=source, q=q, limit=limit)

    def readiness(self) -> tuple[bool, str]:
        """Say whether each source was polled and the journal is open."""
        waiting = [name for name, poller in self.pollers.items() if not poller.polled]
        if waiting:
            return False, f"not ready: not polled yet: {', '.join(waiting)}"
        lines = ["ready"]
        lines += [f"source {name}: {poller.last_error}" for name, poller in self.pollers.items() if poller.last_error]
        lines += [problem for part in (self.delivery, self.tracing) if part and (problem := part.problem())]
        if self.journal.last_error:
            lines.append(f"{self.journal.last_error}; counts go on in memory and are shown once they are written")
        if self.journal.notice:
            lines.append(self.journal.notice)
        return True, "\n".join(lines)
