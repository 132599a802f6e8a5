"""Feldera: pipelines from one list, their history from monitor events, health from the cluster monitor.

How the API really behaves is in the contract page; what this module relies on, read off servers 0.337 to 0.375:
the list with `selector=status` has every field used here; an event is written in the transaction of a change and
shares `recorded_at` with others of it; unknown values and fields appear in minor releases.
"""

from exporter.providers.feldera._events import read_event, read_events
from exporter.providers.feldera._health import STALE_AFTER_SECONDS, read_health
from exporter.providers.feldera._list import read_list, read_pipeline
from exporter.providers.feldera._provider import Feldera
from exporter.providers.feldera._words import VOCABULARY, is_in_desired_state, state_of

__all__ = [
    "STALE_AFTER_SECONDS",
    "VOCABULARY",
    "Feldera",
    "is_in_desired_state",
    "read_event",
    "read_events",
    "read_health",
    "read_list",
    "read_pipeline",
    "state_of",
]
