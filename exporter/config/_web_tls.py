"""The block `tls_server_config` of the web configuration."""

import os
import ssl
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, SecretStr, field_validator, model_validator

from exporter.config._nearest import nearest
from exporter.config._tls import check_readable, load_pair
from exporter.config._types import MisplacedError, Model, OptionalFile, OptionalText, Switch, choice, text

_CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}
_TLS13_SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_TLS12_SUITES = {
    f"TLS_ECDHE_{kind}_WITH_{name}": f"ECDHE-{kind}-{openssl}"
    for kind in ("ECDSA", "RSA")
    for name, openssl in (
        ("AES_128_CBC_SHA", "AES128-SHA"),
        ("AES_256_CBC_SHA", "AES256-SHA"),
        ("AES_128_GCM_SHA256", "AES128-GCM-SHA256"),
        ("AES_256_GCM_SHA384", "AES256-GCM-SHA384"),
        ("CHACHA20_POLY1305_SHA256", "CHACHA20-POLY1305"),
    )
}


def _client_auth(value: object) -> str:
    written = text(value)
    if written in ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert"):
        raise ValueError(
            "{value} accepts certificates without checking them, which is not supported; write RequireAndVerifyClientCert"
        )
    return choice(*[known for known in _CLIENT_AUTH if known])(written) if written else written


def _version(value: object) -> str:
    written = text(value)
    if written in ("TLS10", "TLS11"):
        raise ValueError("{value} is broken and not supported; write TLS12 or TLS13")
    return choice(*_VERSIONS)(written)


def _suite(value: object) -> str:
    written = text(value)
    known = (*_TLS12_SUITES, *_TLS13_SUITES)
    if written not in known:
        raise ValueError(f"unknown cipher suite {{value}}{nearest(written, known)}")
    return written


def _inline_secret(value: object) -> SecretStr | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("the key must be PEM text")  # noqa: TRY004 - pydantic wants ValueError
    return SecretStr(str(value)) if value else None


class WebTls(Model):
    """TLS of our own server."""

    cert: OptionalText = None
    key: Annotated[SecretStr | None, BeforeValidator(_inline_secret)] = None
    client_ca: OptionalText = None
    cert_file: OptionalFile = None
    key_file: OptionalFile = None
    client_auth_type: Annotated[str, BeforeValidator(_client_auth)] = ""
    client_ca_file: OptionalFile = None
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: Annotated[Literal["TLS12", "TLS13"], BeforeValidator(_version)] = "TLS12"
    max_version: Annotated[Literal["TLS12", "TLS13"], BeforeValidator(_version)] = "TLS13"
    cipher_suites: tuple[Annotated[str, BeforeValidator(_suite)], ...] = ()
    prefer_server_cipher_suites: Switch = True
    curve_preferences: tuple[Annotated[str, BeforeValidator(choice(*_CURVES))], ...] = ()

    @property
    def enabled(self) -> bool:
        """Whether TLS is configured at all; the checks at loading see to it that it then is whole."""
        return bool(self.cert_file or self.cert)

    @field_validator("cert_file", "key_file", "client_ca_file")
    @classmethod
    def _check_readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            check_readable(value)
        return value

    @field_validator("client_allowed_sans", mode="before")
    @classmethod
    def _refuse_sans(cls, value: Any) -> Any:
        if value:
            raise ValueError(
                "names in client certificates cannot be checked; remove the key, and use a client CA of your own"
            )
        return None

    @field_validator("curve_preferences")
    @classmethod
    def _check_curves(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > 1:
            raise ValueError("an order of several curves is not supported; give one, or leave the key out")
        return value

    @model_validator(mode="after")
    def _check_whole(self) -> Self:
        for name in ("cert", "key", "client_ca"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                raise MisplacedError(name, f"both {name} and {name}_file are given; remove one")
        given = self.model_fields_set - {"client_allowed_sans"}
        if not any(getattr(self, name) for name in given & _SWITCH_ON):
            return self
        if not self.enabled:
            raise MisplacedError("cert_file", "TLS needs a certificate; give cert_file (or cert)")
        if not (self.key_file or self.key):
            raise MisplacedError("key_file", "TLS needs the certificate's private key; give key_file (or key)")
        self._check_clients()
        if self.min_version > self.max_version:
            raise MisplacedError("min_version", "{value} is above max_version; raise that")
        self.context()
        return self

    def _check_clients(self) -> None:
        verifies = _CLIENT_AUTH[self.client_auth_type] != ssl.CERT_NONE
        has_authority = bool(self.client_ca_file or self.client_ca)
        if verifies and not has_authority:
            raise MisplacedError(
                "client_ca_file", "clients cannot be verified without a CA; give client_ca_file (or client_ca)"
            )
        if has_authority and not verifies:
            key = "client_ca_file" if self.client_ca_file else "client_ca"
            raise MisplacedError(
                key, "a client CA without client_auth_type; write client_auth_type: RequireAndVerifyClientCert"
            )

    def context(self) -> ssl.SSLContext:
        """Return a context made of the files as they are now. Raises ValueError when one cannot be used."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._set_protocol(context)
        self._load_authority(context)
        self._load_certificate(context)
        if self.cert_file and self.key_file:
            _follow(context, self.cert_file, self.key_file)
        return context

    def _set_protocol(self, context: ssl.SSLContext) -> None:
        tls12 = [_TLS12_SUITES[name] for name in self.cipher_suites if name in _TLS12_SUITES]
        lowest = _VERSIONS[self.min_version]
        if tls12:
            context.set_ciphers(":".join(tls12))
        elif self.cipher_suites:
            # Only suites of TLS 1.3 were named: nothing is left that TLS 1.2 could use.
            lowest = ssl.TLSVersion.TLSv1_3
        context.minimum_version, context.maximum_version = lowest, _VERSIONS[self.max_version]
        if not self.prefer_server_cipher_suites:
            context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
        for curve in self.curve_preferences:
            context.set_ecdh_curve(_CURVES[curve])

    def _load_authority(self, context: ssl.SSLContext) -> None:
        try:
            if self.client_ca_file:
                context.load_verify_locations(cafile=str(self.client_ca_file))
            elif self.client_ca:
                context.load_verify_locations(cadata=self.client_ca)
        except (OSError, ValueError):
            key = "client_ca_file" if self.client_ca_file else "client_ca"
            raise MisplacedError(key, "no certificates that can be used; give PEM text") from None
        context.verify_mode = _CLIENT_AUTH[self.client_auth_type]

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        # The ssl module reads certificates from files only, so inline ones are one for a moment.
        with tempfile.TemporaryDirectory() as folder:
            cert_file, key_file = self.cert_file, self.key_file
            try:
                if self.cert:
                    cert_file = _written(Path(folder, "cert.pem"), self.cert)
                if self.key:
                    key_file = _written(Path(folder, "key.pem"), self.key.get_secret_value())
                assert cert_file is not None  # noqa: S101 - checked at loading
                assert key_file is not None  # noqa: S101 - checked at loading
                load_pair(context, cert_file, key_file)
            except MisplacedError as error:
                raise MisplacedError("cert_file" if self.cert_file else "cert", str(error)) from None


_SWITCH_ON = {"cert", "key", "client_ca", "cert_file", "key_file", "client_ca_file", "client_auth_type"}
"""The keys that switch TLS on, as in the exporter-toolkit: the others only say how."""


def _written(file: Path, content: str) -> Path:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(content)
    return file


def _follow(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    """Let each handshake look at the files, and use what they hold when they were renewed.

    A pair that does not fit (one file written, the other not yet) leaves the old one in use.
    """
    seen = _stamps(cert_file, key_file)
    current = context

    def look(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        nonlocal seen, current
        with suppress(OSError, MisplacedError):
            now = _stamps(cert_file, key_file)
            if now != seen:
                renewed = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                load_pair(renewed, cert_file, key_file)
                seen, current = now, renewed
        if current is not context:
            # Only the certificate is taken from it; what is asked of clients stays that of the connection.
            connection.context = current

    context.sni_callback = look


def _stamps(*files: Path) -> list[tuple[int, int, int]]:
    return [(status.st_mtime_ns, status.st_size, status.st_ino) for status in (file.stat() for file in files)]
