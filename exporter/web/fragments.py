"""The small parts of the page that several sections share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.web import wording
from exporter.web.markup import Html, Templates, join, resource
from exporter.web.overview import STATES_FAILING_FIRST

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_CHARACTERS = 300
"""Of any one text. Vendors' error messages have no limit of their own."""
_BAR_WIDTH = 1000
"""Of the drawing, as in the template; the page stretches it."""

fill = Templates(resource("page.html")).fill
NOTHING = Html("")
DASH = Html("\N{EN DASH}")
"""Stands for a value that is not known."""


def short(text: str | None) -> str:
    """Give the first line of a text that came from elsewhere, cut to a sensible length; '' for none."""
    first = next(iter((text or "").strip().splitlines()), "")
    return first if len(first) <= _MAX_CHARACTERS else f"{first[:_MAX_CHARACTERS]}…"


def time(at_seconds: float | None, now_seconds: float) -> Html:
    """Say when, from now, with the exact time behind it; a dash for none."""
    if at_seconds is None:
        return DASH
    return fill("time", utc=wording.utc(at_seconds), distance=wording.distance(at_seconds, now_seconds))


def counted(number: int, noun: str) -> str:
    """Say how many of something: `1 source`, `2 sources`."""
    return f"{wording.count(number)} {noun}{'' if number == 1 else 's'}"


def known_state(state: str) -> str:
    """Give a state as the style sheet knows it."""
    return state if state in STATES_FAILING_FIRST else "unknown"


def tile(state: str, number: int) -> Html:
    """Show how many pipelines are in a state."""
    return fill("tile", state=state, count=wording.count(number), none="" if number else " none")


def bar(states: Mapping[str, int]) -> Html:
    """Draw how the pipelines are spread over the states."""
    present = [(state, states[state]) for state in STATES_FAILING_FIRST if states.get(state)]
    if not present:
        return NOTHING
    total = sum(number for _, number in present)
    parts, before = [], 0
    for state, number in present:
        x, before = before * _BAR_WIDTH / total, before + number
        width = number * _BAR_WIDTH / total
        parts.append(fill("bar_part", state=state, x=f"{x:.2f}", width=f"{width:.2f}", title=f"{number} {state}"))
    return fill("bar", label=worded(states), parts=join(parts))


def worded(states: Mapping[str, int]) -> str:
    """Say how the pipelines are spread over the states: `1 failed, 3 running`."""
    present = [f"{wording.count(states[state])} {state}" for state in STATES_FAILING_FIRST if states.get(state)]
    return ", ".join(present) or "no pipelines"
