"""The file of `--web.config.file`, in the format of Prometheus's exporter-toolkit.

The format is documented at https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md.
What this service cannot do is refused, never ignored: it is about who gets in.
"""

import re
import ssl
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator

from exporter.config._load import read_tree, validated
from exporter.config._types import Context, Model, Switch, header_value, text
from exporter.config._web_tls import WebTls

_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
_BCRYPT = re.compile(r"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")

_MAKE_HASH = (
    "python -c 'import bcrypt,getpass; print(bcrypt.hashpw(getpass.getpass().encode(), bcrypt.gensalt(10)).decode())'"
)


def _header(value: object) -> str:
    written = text(value)
    if written not in _HEADERS:
        raise ValueError(f"{{value}} cannot be set; the format knows {', '.join(_HEADERS)}")
    return written


def _user(value: object) -> str:
    written = text(value)
    if not written or ":" in written:
        raise ValueError("{value} cannot be a user's name: it is empty or holds a ':'")
    return written


def _hash(value: object) -> SecretStr:
    if not isinstance(value, str) or not _BCRYPT.fullmatch(value):
        raise ValueError(f"not a bcrypt hash; make one with: {_MAKE_HASH}")
    return SecretStr(value)


def _no_rate_limit(value: object) -> str:
    written = value.text if hasattr(value, "text") else value
    if written not in ("0", "0s", "0ms"):
        raise ValueError("{value}: rate limits are not supported; remove rate_limit, or set the interval to 0")
    return "0s"


class HttpServer(Model):
    """The block `http_server_config`."""

    http2: Switch = True
    headers: Mapping[Annotated[str, BeforeValidator(_header)], Annotated[str, BeforeValidator(header_value)]] = {}

    @field_validator("headers")
    @classmethod
    def _check_values(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for name, written in value.items():
            if written and (allowed := _HEADERS[name]) and written not in allowed:
                raise ValueError(f"{name} is {written!r}; it can be {' or '.join(allowed)}")
        return {name: written for name, written in value.items() if written}


class RateLimit(Model):
    """The block `rate_limit`, which only can be off."""

    interval: Annotated[Literal["0s"], BeforeValidator(_no_rate_limit)] = "0s"
    burst: Annotated[int, BeforeValidator(lambda _value: 0)] = 0


class WebConfig(Model):
    """How /metrics and the pages are protected."""

    tls_server_config: WebTls = WebTls()
    http_server_config: HttpServer = HttpServer()
    rate_limit: RateLimit = RateLimit()
    basic_auth_users: Mapping[Annotated[str, BeforeValidator(_user)], Annotated[SecretStr, BeforeValidator(_hash)]] = (
        Field(default={}, repr=False)
    )

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return a server's context, None for plain HTTP.

        A certificate that was renewed in its files is used for new connections, without a new context. Raises
        ValueError when a file cannot be used any more.
        """
        return self.tls_server_config.context() if self.tls_server_config.enabled else None

    @cached_property
    def users(self) -> Mapping[str, bytes]:
        """Names and bcrypt hashes; empty: everybody gets in."""
        return {name: secret.get_secret_value().encode() for name, secret in self.basic_auth_users.items()}

    def without_users(self) -> Self:
        """Return all but the users, who can change while the server runs."""
        return self.model_copy(update={"basic_auth_users": {}})

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers to add to every answer."""
        return self.http_server_config.headers


def load_web(path: Path) -> WebConfig:
    """Return the web configuration of a file. Raises ConfigError with every problem found.

    Relative paths begin at the file's folder. Variables are not replaced: bcrypt hashes are full of dollar signs.
    """
    root, problems = read_tree(path, None)
    return validated(WebConfig, root, problems, path, Context(path.absolute().parent))
