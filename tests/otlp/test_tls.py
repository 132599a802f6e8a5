"""TLS and mutual TLS, the same over HTTP and gRPC."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import pytest
import trustme

from exporter.otlp.settings import SettingsError
from exporter.otlp.transport import Accepted, Retry
from tests.otlp.receiver import Receiver, grpc_receiver, http_receiver
from tests.otlp.sending import request_of, sent, settings_for, transport_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROTOCOLS = ("http/protobuf", "grpc")
GOOD = {"http/protobuf": "200", "grpc": "OK"}


@dataclass(frozen=True)
class Authority:
    """A certificate authority, with what it issued in files."""

    ca: trustme.CA
    folder: Path

    @property
    def ca_file(self) -> str:
        """The authority's own certificate."""
        file = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(file))
        return str(file)

    def client(self, name: str = "exporter.example") -> dict[str, str]:
        """Issue a certificate of ours; return the keys of a `tls` block."""
        issued = self.ca.issue_cert(name)
        cert, key = self.folder / "client.pem", self.folder / "client.key"
        issued.cert_chain_pems[0].write_to_path(str(cert))
        issued.private_key_pem.write_to_path(str(key))
        return {"cert_file": str(cert), "key_file": str(key)}

    @asynccontextmanager
    async def receiver(self, protocol: str, *, mutual: bool = False) -> AsyncIterator[Receiver]:
        """Receive with a certificate for 127.0.0.1; with `mutual` only from those who have one, too."""
        server = self.ca.issue_cert("127.0.0.1")
        if protocol == "grpc":
            pair = (server.private_key_pem.bytes(), server.cert_chain_pems[0].bytes())
            credentials = grpc.ssl_server_credentials(
                [pair], self.ca.cert_pem.bytes() if mutual else None, require_client_auth=mutual
            )
            async with grpc_receiver(credentials) as receiver:
                yield receiver
            return
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.configure_cert(context)
        if mutual:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        async with http_receiver(context) as receiver:
            yield receiver


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Return a new authority."""
    return Authority(trustme.CA(), tmp_path)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_we_trust(authority: Authority, protocol: str) -> None:
    """A server whose authority is in ca_file is sent to."""
    async with authority.receiver(protocol) as receiver:
        outcome = await sent(receiver.url, protocol, tls={"ca_file": authority.ca_file})
    assert Accepted(GOOD[protocol]) == outcome
    assert ["line 0"] == receiver.bodies


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_we_do_not_trust(authority: Authority, protocol: str) -> None:
    """A server of an unknown authority is sent nothing; the failure has a code of its own and may pass."""
    async with authority.receiver(protocol) as receiver:
        outcome = await sent(receiver.url, protocol)
    assert (Retry, "tls") == (type(outcome), outcome.code)
    assert [] == receiver.requests


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_mutual(authority: Authority, protocol: str) -> None:
    """A server that asks who we are is shown our certificate."""
    async with authority.receiver(protocol, mutual=True) as receiver:
        outcome = await sent(receiver.url, protocol, tls={"ca_file": authority.ca_file, **authority.client()})
    assert Accepted(GOOD[protocol]) == outcome


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_mutual_without_a_certificate(authority: Authority, protocol: str) -> None:
    """A server that asks who we are, where we have nothing to show, takes nothing."""
    async with authority.receiver(protocol, mutual=True) as receiver:
        outcome = await sent(receiver.url, protocol, tls={"ca_file": authority.ca_file}, timeout="5s")
    assert isinstance(outcome, Retry)
    assert [] == receiver.requests


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_renewed_certificates(authority: Authority, protocol: str) -> None:
    """Our certificate that was replaced on disk is used with the next request, without a restart."""
    other = Authority(trustme.CA(), authority.folder)
    tls = {"ca_file": authority.ca_file, **other.client()}
    async with (
        authority.receiver(protocol, mutual=True) as receiver,
        transport_to(receiver.url, protocol, tls=tls, timeout="5s") as transport,
    ):
        assert isinstance(await transport.send(request_of(b"x"), 1), Retry)
        authority.client()
        assert Accepted(GOOD[protocol]) == await transport.send(request_of(b"y"), 1)
    assert ["y"] == receiver.bodies


async def test_files_that_went_away(authority: Authority) -> None:
    """A certificate file that is missing for a while loses nothing."""
    tls = {"ca_file": authority.ca_file}
    async with authority.receiver("http/protobuf") as receiver, transport_to(receiver.url, tls=tls) as transport:
        (authority.folder / "ca.pem").unlink()
        outcome = await transport.send(request_of(b"x"), 1)
        assert (Retry, "") == (type(outcome), outcome.code)
        assert authority.ca_file == tls["ca_file"]
        assert Accepted("200") == await transport.send(request_of(b"x"), 1)


async def test_any_certificate(authority: Authority) -> None:
    """With insecure_skip_verify HTTP takes any certificate."""
    async with authority.receiver("http/protobuf") as receiver:
        assert Accepted("200") == await sent(receiver.url, tls={"insecure_skip_verify": True})


def test_any_certificate_is_refused_for_grpc() -> None:
    """The gRPC library always checks: the setting is refused with what to do instead."""
    with pytest.raises(SettingsError, match=r"give the server's certificate as tls\.ca_file"):
        settings_for("https://127.0.0.1:4317", "grpc", tls={"insecure_skip_verify": True})


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_plain_text_to_a_tls_port(authority: Authority, protocol: str) -> None:
    """The wrong scheme is no success."""
    async with authority.receiver(protocol) as receiver:
        outcome = await sent(receiver.url.replace("https:", "http:"), protocol, timeout="2s")
    assert not isinstance(outcome, Accepted)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_tls_to_a_plain_port(protocol: str) -> None:
    """The other wrong scheme is none either, and is told by its code."""
    async with http_receiver() if protocol != "grpc" else grpc_receiver() as receiver:
        outcome = await sent(receiver.url.replace("http:", "https:"), protocol, timeout="2s")
    assert (Retry, "tls") == (type(outcome), outcome.code)
