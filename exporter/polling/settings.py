"""How a source is polled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Settings:
    """How a source is polled."""

    name: str
    interval_seconds: float
    sweep_seconds: float
    selects: Callable[[str], bool]
