"""TLS as a client and as a server, over real handshakes in memory."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from exporter.config import ConfigError, load_web, ssl_context
from tests.config.cases import SOURCE, load_text

if TYPE_CHECKING:
    from pathlib import Path

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"


def handshake(client: ssl.SSLContext, server: ssl.SSLContext | None) -> ssl.SSLObject:
    """Shake hands until both sides are done, and return the client's side. Raises what either side raises."""
    assert server is not None
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname="localhost")
    theirs = server.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


@pytest.fixture(name="authority", scope="module")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, authority: trustme.CA) -> Path:
    """Return a folder with a CA, and a certificate and a key of localhost."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "server.crt")
    certificate.private_key_pem.write_to_path(tmp_path / "server.key")
    return tmp_path


def client_context(folder: Path, tls: str) -> ssl.SSLContext:
    """Return the context of a source's tls block."""
    return ssl_context(load_text(folder, f"{SOURCE}    tls: {tls}\n").sources[0].tls)


def server_context(folder: Path, text: str) -> ssl.SSLContext | None:
    """Return the context of a web configuration."""
    file = folder / "web.yml"
    file.write_text(text, encoding="utf-8")
    return load_web(file).ssl_context()


SERVER = "tls_server_config: {cert_file: server.crt, key_file: server.key%s}\n"


def test_own_authority(folder: Path) -> None:
    """With `ca_file` a server of that CA is trusted."""
    done = handshake(client_context(folder, "{ca_file: ca.pem}"), server_context(folder, SERVER % ""))

    assert "TLSv1.3" == done.version()


def test_unknown_authority(folder: Path) -> None:
    """Without it the server is not trusted, unless that is switched off."""
    server = server_context(folder, SERVER % "")

    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(client_context(folder, "{}"), server)
    assert handshake(client_context(folder, "{insecure_skip_verify: true}"), server).version()


def test_client_certificates(folder: Path) -> None:
    """With RequireAndVerifyClientCert only a client with a certificate of the CA gets in."""
    mutual = ", client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem, max_version: TLS12"
    server = server_context(folder, SERVER % mutual)
    known = client_context(folder, "{ca_file: ca.pem, cert_file: server.crt, key_file: server.key}")

    assert "TLSv1.2" == handshake(known, server).version()
    with pytest.raises(ssl.SSLError):
        handshake(client_context(folder, "{ca_file: ca.pem}"), server)


def test_renewed_certificate(folder: Path, authority: trustme.CA) -> None:
    """A certificate renewed in its files is used from the next handshake; half a renewal is not."""
    client, server = client_context(folder, "{ca_file: ca.pem}"), server_context(folder, SERVER % "")
    renewed = authority.issue_cert("localhost")
    serials = [_serial(handshake(client, server))]
    renewed.cert_chain_pems[0].write_to_path(folder / "server.crt")
    serials.append(_serial(handshake(client, server)))
    renewed.private_key_pem.write_to_path(folder / "server.key")
    serials.append(_serial(handshake(client, server)))

    assert serials[0] == serials[1]
    assert serials[1] != serials[2]


def _serial(connection: ssl.SSLObject) -> object:
    certificate = connection.getpeercert()
    assert certificate is not None
    return certificate["serialNumber"]


def test_inline_certificates(folder: Path) -> None:
    """Certificate, key and client CA can stand in the web configuration itself."""
    lines = ["tls_server_config:", "  client_auth_type: VerifyClientCertIfGiven"]
    for key, file in (("cert", "server.crt"), ("key", "server.key"), ("client_ca", "ca.pem")):
        lines += [f"  {key}: |", *(f"    {line}" for line in (folder / file).read_text().splitlines())]

    assert handshake(client_context(folder, "{ca_file: ca.pem}"), server_context(folder, "\n".join(lines))).version()


def test_ciphers(folder: Path) -> None:
    """Cipher suites and curves have Go's names; suites of TLS 1.3 alone leave no TLS 1.2."""
    suite = "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]"
    server = server_context(folder, SERVER % f", max_version: TLS12, {suite}, curve_preferences: [CurveP256]")
    newest = server_context(folder, SERVER % ", cipher_suites: [TLS_AES_128_GCM_SHA256]")
    cipher = handshake(client_context(folder, "{ca_file: ca.pem}"), server).cipher()

    assert cipher is not None
    assert cipher[0].endswith("-AES256-GCM-SHA384")
    assert newest is not None
    assert ssl.TLSVersion.TLSv1_3 == newest.minimum_version


def test_clients_without_authority(folder: Path) -> None:
    """Client certificates that nothing can be checked against are refused, and a CA that nothing asks for."""
    for text in (", client_auth_type: RequireAndVerifyClientCert", ", client_ca_file: ca.pem"):
        with pytest.raises(ConfigError, match=r"web\.yml:1:\d+: tls_server_config\.client_ca_file: "):
            server_context(folder, SERVER % text)


def test_users_and_headers(tmp_path: Path) -> None:
    """Users, headers and http2 are read; hashes are not shown; empty headers are left out."""
    file = tmp_path / "web.yml"
    file.write_text(
        f"basic_auth_users: {{alice: {HASH}}}\nrate_limit: {{interval: 0}}\n"
        "http_server_config: {http2: false, headers: {X-Frame-Options: deny, Content-Security-Policy: ''}}\n"
    )
    web = load_web(file)

    assert {"alice": HASH.encode()} == web.users
    assert {"X-Frame-Options": "deny"} == web.headers
    assert HASH not in repr(web)
    assert web.ssl_context() is None


def test_empty_web_configuration(tmp_path: Path) -> None:
    """An empty file protects nothing, as in the exporter-toolkit."""
    file = tmp_path / "web.yml"
    file.write_text("")
    web = load_web(file)

    assert ({}, {}, None) == (web.users, web.headers, web.ssl_context())
