"""Which provider stands behind which name: adding one touches its own file and this table."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from exporter.providers.apify import Apify
from exporter.providers.feldera import Feldera
from exporter.providers.goldrush import GoldRush

if TYPE_CHECKING:
    from exporter.providers.base import Factory

ENTRY_POINT_GROUP = "pipeline_exporter.providers"

BUILT_IN: dict[str, Factory] = {"apify": Apify, "feldera": Feldera, "goldrush": GoldRush}


def provider_names() -> frozenset[str]:
    """Return the names that a configuration may use."""
    return frozenset(BUILT_IN) | {point.name for point in entry_points(group=ENTRY_POINT_GROUP)}


def factory(name: str) -> Factory:
    """Return the factory of a provider. Raises KeyError for an unknown name."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if point.name == name:
            loaded: Factory = point.load()
            return loaded
    raise KeyError(name)
