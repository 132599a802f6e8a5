"""What tests of transports share: settings for a receiver, a request to send, and sending it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from exporter.config import Otlp
from exporter.otlp.encode import encode_record, export_request, resource_bytes
from exporter.otlp.settings import Settings, read_settings
from exporter.otlp.transport import Outcome, Transport, open_transport
from tests.otlp.samples import UID, record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def request_of(*bodies: bytes) -> bytes:
    """Return a request with a record for each body."""
    records = [encode_record(record(body=body), UID) for body in bodies]
    return export_request([(resource_bytes({"service.name": "orders"}), records)])


def settings_for(url: str, protocol: str = "http/protobuf", **keys: Any) -> Settings:
    """Return settings as the configuration has them, without environment."""
    found = read_settings(Otlp(**{"protocol": protocol, "endpoint": url, **keys}), {})
    assert found is not None
    return found


@asynccontextmanager
async def transport_to(url: str, protocol: str = "http/protobuf", **keys: Any) -> AsyncIterator[Transport]:
    """Open a transport and close it."""
    transport = open_transport(settings_for(url, protocol, **keys))
    try:
        yield transport
    finally:
        await transport.close()


async def sent(url: str, protocol: str = "http/protobuf", *, records: int = 1, **keys: Any) -> Outcome:
    """Send a request and return what became of it."""
    async with transport_to(url, protocol, **keys) as transport:
        return await transport.send(request_of(*[b"line %d" % number for number in range(records)]), records)
