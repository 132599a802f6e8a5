"""The file destination: a request a line, in OTLP JSON."""

from __future__ import annotations

import asyncio
import errno
import os
from typing import TYPE_CHECKING

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.otlp.json_lines import from_json_line
from exporter.otlp.transport import Accepted, Retry
from tests.otlp.sending import request_of, transport_to

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def requests_in(path: Path) -> list[ExportLogsServiceRequest]:
    """Read the file back."""
    return [
        ExportLogsServiceRequest.FromString(from_json_line(line)) for line in path.read_bytes().splitlines() if line
    ]


async def test_requests_are_appended(tmp_path: Path) -> None:
    """Each request is a line, also when several come at once, and what was there stays."""
    path = tmp_path / "logs.jsonl"
    requests = [request_of(b"one"), request_of(b"two", b"three"), request_of(b"four")]
    async with transport_to(str(path), "file") as transport:
        assert Accepted("OK") == await transport.send(requests[0], 1)
    async with transport_to(str(path), "file") as transport:
        outcomes = await asyncio.gather(*(transport.send(request, 1) for request in requests[1:]))
    assert [Accepted("OK")] * 2 == outcomes
    assert [ExportLogsServiceRequest.FromString(request) for request in requests] == requests_in(path)


async def test_half_a_line_harms_no_other(tmp_path: Path) -> None:
    """What a crash left of a line is ended before the next one."""
    path = tmp_path / "logs.jsonl"
    path.write_bytes(b'{"resourceLogs":[')
    async with transport_to(str(path), "file") as transport:
        await transport.send(request_of(b"one"), 1)
    lines = path.read_bytes().splitlines()
    assert b'{"resourceLogs":[' == lines[0]
    assert ExportLogsServiceRequest.FromString(request_of(b"one")) == ExportLogsServiceRequest.FromString(
        from_json_line(lines[1])
    )


async def test_a_file_that_was_moved_away(tmp_path: Path) -> None:
    """A file that is rotated is made again."""
    path = tmp_path / "logs.jsonl"
    async with transport_to(str(path), "file") as transport:
        await transport.send(request_of(b"one"), 1)
        path.rename(tmp_path / "logs.jsonl.1")
        await transport.send(request_of(b"two"), 1)
    assert [ExportLogsServiceRequest.FromString(request_of(b"two"))] == requests_in(path)


async def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written whole is taken back and may be tried again."""
    path = tmp_path / "logs.jsonl"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with transport_to(str(path), "file") as transport:
        await transport.send(request_of(b"one"), 1)
        monkeypatch.setattr(os, "fsync", full)
        outcome = await transport.send(request_of(b"two"), 1)
        monkeypatch.undo()
        assert Retry(None, "connect", f"{path} cannot be written: No space left on device") == outcome
        await transport.send(request_of(b"three"), 1)
    expected = [ExportLogsServiceRequest.FromString(request_of(body)) for body in (b"one", b"three")]
    assert expected == requests_in(path)


async def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    """A file that cannot be made is tried again: its folder may be mounted later."""
    path = tmp_path / "missing" / "logs.jsonl"
    async with transport_to(str(path), "file") as transport:
        outcome = await transport.send(request_of(b"one"), 1)
    assert Retry(None, "connect", f"{path} cannot be written: No such file or directory") == outcome
