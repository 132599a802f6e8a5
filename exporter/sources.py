"""From a source's configuration to its poller."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from yarl import URL

from exporter import __version__
from exporter.config import SecretError, ssl_context
from exporter.polling.poller import Poller
from exporter.polling.settings import Settings
from exporter.polling.tracked import TrackedSource
from exporter.providers.errors import CredentialError
from exporter.providers.http import Connection, HttpClient
from exporter.providers.registry import factory
from exporter.status.exposition import STALE_INTERVALS, SourceSeries
from exporter.status.series import Context
from exporter.status.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.config import Source
    from exporter.journal import Journal
    from exporter.providers.base import Provider
    from exporter.providers.budget import Account, Budget, Budgets


def make_provider(
    source: Source, budget: Budget, on_answer: Callable[[str], None], clock: Callable[[], float]
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
        budget,
        on_answer,
    )
    return factory(source.provider)(client, {"tenant": source.tenant}, clock)


def make_poller(
    source: Source, provider: Provider, budget: Budget, journal: Journal, clock: Callable[[], float], *, zeros: bool
) -> Poller:
    """Make the poller of a source. It does no I/O before `restore`."""
    context = Context(source.provider, source.name, provider.vocabulary, Words(provider.vocabulary.facets), zeros=zeros)
    series = SourceSeries(source.provider, source.name, STALE_INTERVALS * source.interval)
    return Poller(
        Settings(source.name, source.interval, source.sweep, source.selects),
        provider,
        budget,
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


def share(budgets: Budgets, sources: Sequence[Source]) -> dict[str, Budget]:
    """Return the budget of each source by its name, with the rates as they are configured."""
    accounts = {source.name: _account(source) for source in sources}
    budgets.set_rates((accounts[source.name], source.budget) for source in sources)
    return {name: budgets.of(account) for name, account in accounts.items()}


def _account(source: Source) -> Account:
    """Return whose requests count together. A key that cannot be read now is told apart by its file."""
    try:
        key = source.secret.get() if source.secret is not None else ""
    except SecretError:
        key = str(source.api_key_file)
    return str(URL(source.url)), hashlib.sha256(key.encode()).hexdigest()


def _target(source: Source) -> str:
    """Say what the counts of a source belong to.

    With another server, tenant or selection, pipelines that are not known yet have a history that is not counted.
    """
    parts = [source.provider, source.url, source.tenant, list(source.include), list(source.exclude)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
