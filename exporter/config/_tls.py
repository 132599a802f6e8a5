"""The `tls` block of a source and of the OTLP destination."""

import ssl
from pathlib import Path
from typing import Self

from pydantic import Field, field_validator, model_validator

from exporter.config._types import MisplacedError, Model, OptionalFile, Switch


class Tls(Model):
    """How the other side proves who it is, and how we do. All files are checked when the configuration is loaded."""

    ca_file: OptionalFile = Field(default=None, description="Certificates to trust instead of the system's (PEM)")
    cert_file: OptionalFile = Field(default=None, description="Our certificate (PEM); needs key_file")
    key_file: OptionalFile = Field(default=None, description="The private key of cert_file (PEM, not encrypted)")
    insecure_skip_verify: Switch = Field(default=False, description="Accept any certificate. Only for tests")

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _check_readable(cls, value: Path | None) -> Path | None:
        if value is not None:
            check_readable(value)
        return value

    @model_validator(mode="after")
    def _check_usable(self) -> Self:
        if self.cert_file and not self.key_file:
            raise MisplacedError("cert_file", "cert_file without key_file; give both or none")
        if self.key_file and not self.cert_file:
            raise MisplacedError("key_file", "key_file without cert_file; give both or none")
        ssl_context(self)
        return self


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """Return a client's context made from the files as they are now.

    Raises ValueError (with the `key` that it is about) when a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(tls.ca_file) if tls.ca_file else None)
    except OSError as error:  # ssl.SSLError is one
        raise MisplacedError("ca_file", f"{{value}} holds no certificates that can be used: {_reason(error)}") from None
    if tls.cert_file and tls.key_file:
        load_pair(context, tls.cert_file, tls.key_file)
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def load_pair(context: ssl.SSLContext, cert_file: Path, key_file: Path) -> None:
    """Load certificate and key. Raises MisplacedError on cert_file; an encrypted key is refused, never asked about."""
    try:
        context.load_cert_chain(str(cert_file), str(key_file), password=_no_password)
    except (OSError, ValueError) as error:
        raise MisplacedError("cert_file", f"certificate and key cannot be used together: {_reason(error)}") from None


def check_readable(file: Path) -> None:
    """Raise ValueError when a file is missing or cannot be read."""
    try:
        if not file.is_file():
            reason = "it is not a regular file" if file.exists() else "No such file or directory"
            raise ValueError(f"{{value}} cannot be read: {reason}")
        with file.open("rb"):
            pass
    except OSError as error:
        raise ValueError(f"{{value}} cannot be read: {error.strerror}") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted; decrypt it")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or "no certificate or key found").lower().replace("_", " ")
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
