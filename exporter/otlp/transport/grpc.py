"""OTLP over gRPC.

The library's own event loop integration is not used: it compresses on the loop, and serves one loop a process. A call is
begun in a thread, where it compresses, and ends with a callback.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import grpc

from exporter import __version__
from exporter.config import SecretError
from exporter.otlp.transport.answers import (
    PartialSuccess,
    Status,
    accepted,
    one_line,
    read_partial_success,
    read_status,
)
from exporter.otlp.transport.files import stamps
from exporter.otlp.transport.outcome import Outcome, Refused, RefusedData, RefusedDestination, Retry
from exporter.otlp.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.config import Tls
    from exporter.otlp.names import Signal
    from exporter.otlp.settings import Settings

METHODS: Final[Mapping[Signal, str]] = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
}

RETRYABLE: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "UNAVAILABLE", "DATA_LOSS"})
RETRYABLE_WITH_DELAY: Final = frozenset({"RESOURCE_EXHAUSTED", "OUT_OF_RANGE"})
"""Retryable only when the answer says when; else they are about the data."""

ABOUT_DATA: Final = frozenset({"INVALID_ARGUMENT"}) | RETRYABLE_WITH_DELAY
ABOUT_DESTINATION: Final = frozenset({"UNAUTHENTICATED", "PERMISSION_DENIED", "UNIMPLEMENTED"})

_NO_CONNECTION = ("failed to connect to all addresses", "errors resolving", "DNS resolution failed")

_TIMEOUTS_BEFORE_A_NEW_CONNECTION = 2

_OPTIONS = (
    ("grpc.primary_user_agent", f"pipeline-exporter/{__version__}"),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),
    # A collector that is back is found soon: the library's own waits grow to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 250),
    ("grpc.max_reconnect_backoff_ms", 5000),
    # Two transports of one address have a connection each, as they may have other certificates.
    ("grpc.use_local_subchannel_pool", 1),
)


class GrpcTransport:
    """Calls to one server, over one connection."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channel: grpc.Channel | None = None
        self._opening = threading.Lock()
        self._stamps: object = None
        self._timeouts = 0

    async def send(self, request: bytes, records: int) -> Outcome:
        """Send a request and say what became of it."""
        try:
            metadata = tuple((name.lower(), value) for name, value in self._settings.headers().items())
            began = time.monotonic()
            call = await self._call(request, metadata)
        except (SecretError, ValueError, OSError) as error:
            return Retry(None, "", str(error))
        code = call.code()
        if code is grpc.StatusCode.OK:
            self._timeouts = 0
            return accepted("OK", _partial_success(call.result()), records)
        outcome = _outcome(self._settings.endpoint, call, time.monotonic() - began >= self._settings.timeout_seconds)
        self._note(outcome)
        return outcome

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await asyncio.to_thread(channel.close)

    def _open(self) -> grpc.Channel:
        """Return the channel, a new one where a TLS file changed. Calls under way on the old one end as they would."""
        now = stamps(self._settings.tls)
        with self._opening:
            if self._channel is None or now != self._stamps:
                self._channel, self._stamps = self._made(), now
            return self._channel

    def _made(self) -> grpc.Channel:
        address = self._settings.endpoint.partition("://")[2]
        if not self._settings.endpoint.startswith("https:"):
            return grpc.insecure_channel(address, options=_OPTIONS)
        return grpc.secure_channel(address, _credentials(self._settings.tls), options=_OPTIONS)

    async def _call(self, request: bytes, metadata: tuple[tuple[str, str | bytes], ...]) -> Any:
        """Make a call and wait for its end; a cancelled wait cancels it. Raises ValueError or OSError when none can be made."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        compressed = self._settings.compression == "gzip"

        def begin() -> Any:
            name = METHODS[self._settings.signal]
            method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(name)
            call = method.future(
                request,
                timeout=self._settings.timeout_seconds,
                metadata=metadata,
                compression=grpc.Compression.Gzip if compressed else grpc.Compression.NoCompression,
            )
            call.add_done_callback(lambda _: _tell(loop, ended))
            return call

        call = await asyncio.to_thread(begin)
        try:
            await ended
        except asyncio.CancelledError:
            call.cancel()
            raise
        return call

    def _note(self, outcome: Outcome) -> None:
        """Count timeouts: after some in a row the connection is taken for dead, and the next call makes another."""
        self._timeouts = self._timeouts + 1 if outcome.code == "timeout" else 0
        if self._timeouts >= _TIMEOUTS_BEFORE_A_NEW_CONNECTION:
            self._timeouts, self._channel = 0, None


def _tell(loop: asyncio.AbstractEventLoop, ended: asyncio.Future[None]) -> None:
    """Wake who waits, from another thread. A loop that is closed waits no more."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    """Return credentials from the files as they are now, or with the system's authorities instead of the library's."""
    roots = tls.ca_file.read_bytes() if tls.ca_file else _system_roots()
    key = tls.key_file.read_bytes() if tls.key_file else None
    chain = tls.cert_file.read_bytes() if tls.cert_file else None
    return grpc.ssl_channel_credentials(roots, key, chain)


def _system_roots() -> bytes | None:
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None


def _outcome(endpoint: str, call: Any, timed_out: bool) -> Outcome:  # noqa: FBT001  (private, and named at the call)
    name = call.code().name
    details = one_line(call.details() or "")
    status = _status(call.trailing_metadata() or ())
    code = _code(name, details, timed_out=timed_out)
    if code == "timeout":
        return Retry(None, code, f"{endpoint}: no answer in time")
    reason = f"{endpoint}: answered {name}: {details}" if code == name else f"{endpoint}: {details}"
    if name in RETRYABLE or (name in RETRYABLE_WITH_DELAY and status.retry_seconds is not None):
        return Retry(status.retry_seconds or None, code, reason)  # no delay is no wish
    if name in ABOUT_DATA:
        return RefusedData(code, reason)
    if name in ABOUT_DESTINATION:
        return RefusedDestination(code, reason)
    return Refused(code, reason)


def _code(name: str, details: str, *, timed_out: bool) -> str:
    """Return the label of an answer. What the library says itself has a code of the protocol, too, and is told by its words."""
    if name == "DEADLINE_EXCEEDED" and timed_out:
        return "timeout"
    if name == "UNAVAILABLE" and details.startswith(_NO_CONNECTION):
        return "tls" if "handshake" in details.lower() or "SSL" in details else "connect"
    return name


def _status(metadata: Sequence[tuple[str, str | bytes]]) -> Status:
    """Return the details of an answer; such as cannot be read are none."""
    for key, value in metadata:
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            try:
                return read_status(value)
            except WireError:
                break
    return Status()


def _partial_success(message: bytes) -> PartialSuccess:
    """Return what a good answer says; one that cannot be read is a success all the same."""
    try:
        return read_partial_success(message)
    except WireError:
        return PartialSuccess(message=f"the answer could not be read: {message[:64]!r}")
