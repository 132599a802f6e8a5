"""Whether the files of a `tls` block changed: certificates are renewed while the service runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.config import Tls


def stamps(tls: Tls) -> tuple[tuple[int, int, int] | None, ...]:
    """Return what changes when a file does; None for one that is not given or not there."""
    found: list[tuple[int, int, int] | None] = []
    for file in (tls.ca_file, tls.cert_file, tls.key_file):
        try:
            status = file.stat() if file is not None else None
        except OSError:
            status = None
        found.append((status.st_mtime_ns, status.st_size, status.st_ino) if status else None)
    return tuple(found)
