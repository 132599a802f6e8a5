"""What the cluster monitor says of the server's parts."""

from __future__ import annotations

import contextlib
import email.utils
from typing import TYPE_CHECKING, Any, Final

from exporter.providers.base import Health
from exporter.providers.errors import MalformedError
from exporter.providers.feldera._values import text, time_ns
from exporter.providers.http import decode_json
from exporter.status.model import Component
from exporter.status.words import is_plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.providers.http import Answer


STALE_AFTER_SECONDS: Final = 900.0
"""The cluster monitor writes at least every 10 minutes; a check older than 15 is old. Newer servers say `stale` themselves."""


def read_health(answer: Answer, now_seconds: float) -> Health:
    """Read the cluster's health. A report that is stale, by its own word or by its age, vouches for nothing."""
    found = decode_json(answer)
    if not isinstance(found, dict):
        raise MalformedError(answer.url, "answered with something else than the health of services")
    components: list[Component] = []
    for name, part in found.items():
        if isinstance(part, dict) and isinstance(part.get("healthy"), bool) and is_plain(name):
            stale = found.get("stale") is True or ("stale" not in found and _is_old(part, answer, now_seconds))
            message = "the report is stale: the cluster monitor has stopped" if stale else text(part.get("message"))
            components.append(Component(name, part["healthy"] and not stale, message))
    if not components:
        raise MalformedError(answer.url, "answered without the health of any service")
    return Health(components)


def _is_old(part: Mapping[str, Any], answer: Answer, now_seconds: float) -> bool:
    """Whether a check is too old to count, by the server's own clock where its answer shows one."""
    checked_ns = time_ns(part.get("checked_at"))
    with contextlib.suppress(
        ValueError, OverflowError
    ):  # without a Date that makes sense the exporter's clock has to do
        now_seconds = email.utils.parsedate_to_datetime(answer.date).timestamp()
    return checked_ns > 0 and now_seconds - checked_ns / 1e9 > STALE_AFTER_SECONDS
