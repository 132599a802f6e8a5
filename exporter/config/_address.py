"""Addresses to listen on and URLs to talk to."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_PORT = re.compile(r"[0-9]{1,5}")


def parse_address(text: str) -> tuple[str | None, int]:
    """Return host and port of `host:port`, `:port` (host None: every interface) or `[v6]:port`.

    Raises ValueError. Port 0 means any free port.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError("{value} is not an address; write host:port, :port or [v6]:port, with a port up to 65535")
    if not host:
        return None, int(port)
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1])), int(port)
        except ValueError:
            raise ValueError("{value} has no IPv6 address within its brackets") from None
    if ":" in host:
        raise ValueError("{value} holds more than one ':'; put an IPv6 address in brackets, [v6]:port")
    if not _HOST.fullmatch(host):
        raise ValueError("{value} has no host name that can be used; write host:port, :port or [v6]:port")
    return host, int(port)


def check_url(text: str, *, credentials: bool = False) -> SplitResult:
    """Return the parts of an http or https URL without query and fragment. Raises ValueError, which never shows the URL.

    The text may hold a password, also where none is allowed: what is wrong with it is said without quoting it.
    """
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("the URL holds white space or a control character; remove it")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"not a URL ({_reason(error)}); write https://host or https://host:port") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("the URL must begin with http:// or https://")
    if not host or port == 0:
        raise ValueError("the URL has no host, or the port 0; write https://host or https://host:port")
    if not credentials and "@" in parts.netloc:
        raise ValueError("the URL holds credentials; remove them and use api_key_file or headers")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("the URL has a query or a fragment; end it before '?' and '#'")
    return parts


def _reason(error: ValueError) -> str:
    # The standard library quotes the port, which in a mistyped URL can be a piece of a password.
    return "a bad port" if "ort" in str(error) else "a bad host"
