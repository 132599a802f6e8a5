"""Ways to a destination, behind one protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exporter.otlp.transport.file import FileTransport
from exporter.otlp.transport.http import HttpTransport
from exporter.otlp.transport.outcome import (
    Accepted,
    Outcome,
    Refused,
    RefusedData,
    RefusedDestination,
    Retry,
    Transport,
)

if TYPE_CHECKING:
    from exporter.otlp.settings import Settings

__all__ = [
    "Accepted",
    "Outcome",
    "Refused",
    "RefusedData",
    "RefusedDestination",
    "Retry",
    "Transport",
    "open_transport",
]


def open_transport(settings: Settings) -> Transport:
    """Return the transport of a destination. Nothing is connected before something is sent."""
    if settings.protocol == "file":
        return FileTransport(Path(settings.endpoint), settings.signal)
    if settings.protocol == "grpc":
        from exporter.otlp.transport.grpc import GrpcTransport  # noqa: PLC0415 - 12 MB that only gRPC needs

        return GrpcTransport(settings)
    return HttpTransport(settings)
