"""Who may ask for a reload."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROXY_HEADERS = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""A request with one of these came through a proxy, so that its peer address says nothing about who asks."""


def reload_refusal(*, peer: str | None, headers: Mapping[str, str], lifecycle: bool) -> str | None:
    """Say why a reload is refused, None if it is not. `headers` are looked up in any case by the caller's mapping."""
    # Browsers send Origin with every POST, also after DNS rebinding, and no button of ours needs it.
    if "Origin" in headers or headers.get("Sec-Fetch-Site", "none") != "none":
        return "A reload cannot be asked for from a web page. Use curl -X POST, or send the process SIGHUP."
    if lifecycle or (is_loopback(peer) and not any(name in headers for name in _PROXY_HEADERS)):
        return None
    return (
        "A reload is answered on loopback only, and not through a proxy. "
        "Start with --web.enable-lifecycle to allow it from elsewhere, or send the process SIGHUP."
    )


def is_loopback(peer: str | None) -> bool:
    """Tell whether an address is this machine's own, also as IPv4 inside of IPv6."""
    if peer is None:
        return False
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
