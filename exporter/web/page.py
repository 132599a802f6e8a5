"""The page for people, from an `Overview`. It works without JavaScript and loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import TYPE_CHECKING

from exporter.web import tables, wording
from exporter.web.fragments import NOTHING, bar, counted, fill, short, tile, time
from exporter.web.markup import Html, join, resource
from exporter.web.overview import STATES_FAILING_FIRST
from exporter.web.source_cards import card

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.web.overview import ConfigOverview, JournalOverview, Overview

PAGE_PIPELINES = 500
"""More are counted and can be found with the filter."""

_CSS = Html(resource("page.css"))
_SCRIPT = Html(resource("page.js"))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src {_hash(_CSS)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Only this style and this script, by their hashes: a name that got around the escaping could still do nothing."""


def render(overview: Overview, *, source: str | None, q: str, now_seconds: float) -> Html:
    """Make the page for the filter that was asked for."""
    states = Counter[str]()
    for each in overview.sources:
        states.update(each.states or {})
    return fill(
        "page",
        css=_CSS,
        script=_SCRIPT,
        title=_title(states),
        version=overview.version,
        uptime=wording.span(now_seconds - overview.started_at_seconds),
        now=wording.utc(now_seconds),
        alerts=_alerts(overview),
        total=wording.count(states.total()),
        total_noun=f"pipeline{'' if states.total() == 1 else 's'} in {counted(len(overview.sources), 'source')}",
        bar=bar(states),
        tiles=join([tile(state, states[state]) for state in STATES_FAILING_FIRST]),
        sources=join([card(each, now_seconds) for each in overview.sources]),
        options=_options(overview, source),
        q=q,
        reset=fill("reset") if source is not None or q else NOTHING,
        pipelines=tables.pipelines(overview, source=source, q=q, now_seconds=now_seconds),
        transitions=tables.transitions(overview, now_seconds),
        journal_path=overview.journal.path,
        journal_size=wording.size(overview.journal.size_bytes),
        journal_commit=_commit(overview.journal),
        config=_config(overview.config, now_seconds),
        started=time(overview.started_at_seconds, now_seconds),
    )


def _title(states: Mapping[str, int]) -> str:
    failed = states["failed"]
    return f"{wording.count(failed)} failed · pipeline-exporter" if failed else "pipeline-exporter"


def _alerts(overview: Overview) -> Html:
    alerts = []
    if not overview.config.last_reload_ok:
        title = "The new configuration was refused; the old one stays in force."
        text = short(overview.config.last_reload_error) or "The log says why."
        alerts.append(fill("alert", title=title, text=text))
    if overview.journal.last_commit_error:
        title = "The journal cannot be written; new counts wait until it can."
        alerts.append(fill("alert", title=title, text=short(overview.journal.last_commit_error)))
    return join(alerts)


def _options(overview: Overview, chosen: str | None) -> Html:
    options = [("", "all sources"), *((each.name, each.name) for each in overview.sources)]
    return join(
        [
            fill("option", value=value, text=text, selected=" selected" if value == (chosen or "") else "")
            for value, text in options
        ]
    )


def _commit(journal: JournalOverview) -> str:
    return f"failed: {short(journal.last_commit_error)}" if journal.last_commit_error else "succeeded"


def _config(config: ConfigOverview, now_seconds: float) -> Html:
    outcome = "applied " if config.last_reload_ok else "last reload refused "
    return join([Html(outcome), time(config.last_reload_seconds, now_seconds)])
