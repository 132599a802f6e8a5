"""What a step of a scenario may say to a vendor's world."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import msgspec


class Step(msgspec.Struct, frozen=True):
    """One checked line of a scenario."""

    at_seconds: float
    do: str
    pipeline: str
    arguments: dict[str, Any]
    vendor: str = "feldera"


@dataclass(frozen=True, slots=True)
class Words:
    """The operations of one vendor."""

    keys: dict[str, dict[str, Any]]
    """The arguments of each operation, with the type of each."""
    required: dict[str, str] = field(default_factory=dict)
    """The argument that an operation cannot do without."""
    allowed: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """The values of an argument, where they are few."""
    of_the_server: frozenset[str] = frozenset()
    """Operations that concern no pipeline."""
    name: re.Pattern[str] = re.compile(r"(?s).+")
    name_rule: str = "a name"
