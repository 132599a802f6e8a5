"""Listening sockets from configured addresses, and their addresses for people."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import ExitStack
from ipaddress import ip_address

_NO_SUCH_FAMILY = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})
"""What a machine without IPv6 says. A host that has other addresses is listened to on those."""


async def listen(host: str | None, port: int) -> list[socket.socket]:
    """Bind all addresses of a host; None is every IPv4 and IPv6 address of the machine, with one port for all.

    Raises OSError with the address in its text.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise OSError(error.errno, f"cannot listen on {_place(host, port)}: {error.strerror}") from error
    missing: OSError | None = None
    with ExitStack() as opened:
        sockets: list[socket.socket] = []
        # IPv4 first, whose port the others take over where port 0 lets the system choose.
        for family, address in sorted({(info[0], info[4]) for info in found}, key=_ipv4_first):
            chosen = sockets[0].getsockname()[1] if sockets and port == 0 else port
            try:
                sock = _bind(family, (address[0], chosen, *address[2:]))
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise _explained(error, host, chosen) from error
                missing = error
                continue
            sockets.append(opened.enter_context(sock))
        if missing is not None and not sockets:
            raise _explained(missing, host, port) from missing
        opened.pop_all()
    return sockets


def url(sock: socket.socket, *, tls: bool) -> str:
    """Give the address to open in a browser; localhost where the socket listens everywhere."""
    host, port = sock.getsockname()[:2]
    address = ip_address(str(host).partition("%")[0])
    named = f"[{address}]" if address.version == 6 else str(address)
    shown = "localhost" if address.is_unspecified else named
    return f"{'https' if tls else 'http'}://{shown}:{port}/"


def _ipv4_first(found: tuple[socket.AddressFamily, tuple[object, ...]]) -> tuple[bool, str]:
    return found[0] != socket.AF_INET, str(found[1])


def _bind(family: int, address: tuple[object, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)  # noqa: FBT003 - the argument is positional only
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # The IPv4 side of a wildcard is a socket of its own, on every system alike.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        # Listening at once: a second process can bind beside a socket that only is bound.
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock


def _explained(error: OSError, host: str | None, port: int) -> OSError:
    number = error.errno or 0
    hint = "; stop the process that has it, or choose another address with `listen`" * (number == errno.EADDRINUSE)
    return OSError(number, f"cannot listen on {_place(host, port)}: {os.strerror(number)}{hint}")


def _place(host: str | None, port: int) -> str:
    return f"[{host}]:{port}" if host and ":" in host else f"{host or ''}:{port}"
