"""The page's cards of sources: is each polled, and how does it go."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from exporter.web import wording
from exporter.web.fragments import NOTHING, bar, fill, short, time, worded
from exporter.web.markup import Html, join

if TYPE_CHECKING:
    from exporter.web.overview import ComponentOverview, SourceOverview

_HEALTH = {True: ("up", "up"), False: ("down", "down"), None: ("new", "not polled yet")}


def card(source: SourceOverview, now_seconds: float) -> Html:
    """Show one source."""
    health, word = _HEALTH[source.up]
    return fill(
        "source",
        health=health,
        word=word,
        name=source.name,
        link=f"/?{urlencode({'source': source.name}, errors='replace')}#pipelines",
        provider=source.provider,
        server_version=f" {source.server_version}" if source.server_version else "",
        url=source.url,
        error=fill("source_error", text=short(source.last_error)) if source.last_error else NOTHING,
        bar=bar(source.states or {}),
        pipelines=worded(source.states) if source.states is not None else "pipelines not known yet",
        facts=join(_facts(source, now_seconds)),
        components=join([_component(component) for component in source.components]),
    )


def _facts(source: SourceOverview, now_seconds: float) -> list[Html]:
    succeeded = source.last_success_seconds
    facts: list[tuple[str, object]] = [("last success", "never" if succeeded is None else time(succeeded, now_seconds))]
    if source.last_poll_duration_seconds is not None:
        facts.append(("poll took", wording.duration(source.last_poll_duration_seconds)))
    if (following := source.next_poll_seconds) is not None:
        facts.append(("next", time(following, now_seconds) if following > now_seconds else "now"))
    if source.budget_remaining is not None:
        facts.append(("budget left", f"{source.budget_remaining:.0f}"))
    if source.lines_per_second is not None:
        facts.append(("log lines/s", wording.rate(source.lines_per_second)))
    if source.polls_missed:
        facts.append(("polls missed", wording.count(source.polls_missed)))
    return [fill("fact", name=name, value=value) for name, value in facts]


def _component(component: ComponentOverview) -> Html:
    message = short(component.message)
    return fill(
        "component",
        health="up" if component.healthy else "down",
        word="healthy" if component.healthy else "unhealthy",
        name=component.name,
        message=f": {message}" if message else "",
    )
