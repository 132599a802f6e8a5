"""From a source's configuration to its poller."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.config import SecretError, ssl_context
from exporter.polling.poller import Poller, Settings
from exporter.polling.tracked import TrackedSource
from exporter.providers.errors import CredentialError
from exporter.providers.http import Connection, HttpClient
from exporter.providers.registry import factory
from exporter.status.exposition import STALE_INTERVALS, SourceSeries
from exporter.status.series import Context
from exporter.status.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.config import Source
    from exporter.journal import Journal
    from exporter.providers.base import Provider
    from exporter.providers.budget import Budgets


def make_provider(
    source: Source, budgets: Budgets, on_answer: Callable[[str], None], clock: Callable[[], float]
) -> Provider:
    """Make the provider of a source, with the client and the budget of its account."""
    client = HttpClient(
        Connection(
            url=source.url,
            timeout_seconds=source.timeout,
            headers=_headers(source),
            token=_token(source),
            proxy=source.proxy,
            ssl_context=ssl_context(source.tls) if source.url.startswith("https:") else None,
        ),
        budgets.share(source.url, _account(source), source.budget),
        on_answer,
    )
    return factory(source.provider)(client, {"tenant": source.tenant}, clock)


def make_poller(
    source: Source, provider: Provider, budgets: Budgets, journal: Journal, clock: Callable[[], float], *, zeros: bool
) -> Poller:
    """Make the poller of a source. It does no I/O before `restore`."""
    context = Context(source.provider, source.name, provider.vocabulary, Words(provider.vocabulary.facets), zeros=zeros)
    series = SourceSeries(source.provider, source.name, STALE_INTERVALS * source.interval)
    return Poller(
        Settings(source.name, source.interval, source.sweep, source.selects),
        provider,
        budgets.share(source.url, _account(source), source.budget),
        TrackedSource(context, _target(source), journal, series),
        clock,
    )


def _headers(source: Source) -> dict[str, str]:
    headers = {"User-Agent": f"pipeline-exporter/{__version__}"}
    if source.tenant is not None:
        headers["Feldera-Tenant"] = source.tenant
    return headers | dict(source.headers)


def _token(source: Source) -> Callable[[], str | None]:
    """Return what reads the key; a key that cannot be read fails the request, as a refused one does."""

    def token() -> str | None:
        try:
            return source.secret.get() if source.secret is not None else None
        except SecretError as error:
            raise CredentialError(source.url, str(error)) from error

    return token


def _account(source: Source) -> str:
    """Name the key whose requests count together, without naming the key."""
    place = str(source.api_key_file) if source.api_key_file is not None else None
    key = source.api_key.get_secret_value() if source.api_key is not None else ""
    return place or hashlib.sha256(key.encode()).hexdigest()


def _target(source: Source) -> str:
    """Say what the counts of a source belong to.

    With another server, tenant or selection, pipelines that are not known yet have a history that is not counted.
    """
    parts = [source.provider, source.url, source.tenant, list(source.include), list(source.exclude)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
