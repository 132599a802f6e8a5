"""The HTTP side: /metrics, the page for people, health, reload; TLS and basic authentication."""

from exporter.web.overview import (
    ComponentOverview,
    ConfigOverview,
    JournalOverview,
    Overview,
    PipelineOverview,
    SourceOverview,
    TransitionOverview,
    select,
)
from exporter.web.server import WebServer
from exporter.web.service import ReloadError, Service

__all__ = [
    "ComponentOverview",
    "ConfigOverview",
    "JournalOverview",
    "Overview",
    "PipelineOverview",
    "ReloadError",
    "Service",
    "SourceOverview",
    "TransitionOverview",
    "WebServer",
    "select",
]
