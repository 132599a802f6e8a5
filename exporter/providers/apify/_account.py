"""What the account uses and may use."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from exporter.status.model import Account

PATH: Final = "/v2/users/me/limits"

MAX_RESOURCES: Final = 100

_NAMES: Final = {"concurrent_actor_jobs": "active_actor_job_count"}
"""Limits whose use has another name."""

_RESOURCE = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def read_account(data: Any) -> Account | None:
    """Read limits and use; what is no number is left out. None when there is neither."""
    if not isinstance(data, dict):
        return None
    usage, limits = _numbers(data.get("current")), _numbers(data.get("limits"))
    limits = {name.removeprefix("max_"): value for name, value in limits.items()}
    limits = {_NAMES.get(name, name): value for name, value in limits.items()}
    return Account(usage, limits) if usage or limits else None


def _numbers(part: Any) -> dict[str, float]:
    if not isinstance(part, dict):
        return {}
    found = {
        _WORD.sub("_", name).lower(): value
        for name, value in part.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
    return {name: value for name, value in list(found.items())[:MAX_RESOURCES] if _RESOURCE.fullmatch(name)}
