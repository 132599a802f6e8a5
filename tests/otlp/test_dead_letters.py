"""Dead letters are whole lines that can be sent again; a file without room or that cannot be written holds."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.otlp.dead_letters import DeadLetters, locked
from exporter.otlp.encode import encode_record, export_request, resource_bytes
from exporter.otlp.json_lines import from_json_line, to_json_line
from tests.otlp.samples import UID, record
from tests.otlp.sending import request_of

if TYPE_CHECKING:
    import pytest

MIB = 1024 * 1024


def requests_in(letters: DeadLetters) -> list[bytes]:
    """Read the file back."""
    return [from_json_line(line) for line in letters.path.read_bytes().splitlines()]


async def test_each_is_a_line(tmp_path: Path) -> None:
    """Each request is a line, also when several lanes write at once."""
    letters = DeadLetters(tmp_path, MIB)
    requests = [request_of(b"line %d" % number) for number in range(20)]
    assert [True] * 20 == await asyncio.gather(*(letters.write(request, "too long") for request in requests))
    assert sorted(requests) == sorted(requests_in(letters))


async def test_the_limit_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that would grow over its limit takes no more, says so once, and goes on when there is room again."""
    size = len(to_json_line(request_of(b"x")))
    letters = DeadLetters(tmp_path, 2 * size + size // 2)
    assert [True, True, False, False] == [await letters.write(request_of(b"x"), "too long") for _ in range(4)]
    assert 2 * size == letters.path.stat().st_size
    said = [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    assert [f"the dead letters {letters.path}: are full ({2 * size} of {2 * size + size // 2} bytes)"] == [
        one.partition(";")[0] for one in said
    ]
    letters.path.unlink()
    assert await letters.write(request_of(b"x"), "too long")


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A file that cannot be written holds, and goes on once it can."""
    letters = DeadLetters(tmp_path / "data", MIB)
    assert not await letters.write(request_of(b"x"), "too long")
    (tmp_path / "data").mkdir()
    assert await letters.write(request_of(b"x"), "too long")
    assert [request_of(b"x")] == requests_in(letters)


async def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that does not reach the disk is taken back."""
    letters = DeadLetters(tmp_path, MIB)
    assert await letters.write(request_of(b"one"), "too long")

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert not await letters.write(request_of(b"two"), "too long")
    assert [request_of(b"one")] == requests_in(letters)
    assert await letters.write(request_of(b"three"), "too long")
    assert [request_of(b"one"), request_of(b"three")] == requests_in(letters)


async def test_half_a_line_of_a_crash(tmp_path: Path) -> None:
    """Half a line that a crash left does not spoil the next one."""
    letters = DeadLetters(tmp_path, MIB)
    letters.path.write_bytes(b'{"resourceLogs":[{"sc')
    assert await letters.write(request_of(b"one"), "too long")
    assert request_of(b"one") == from_json_line(letters.path.read_bytes().splitlines()[1])


async def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A record that is refused because it is no valid text is kept with the bad bytes replaced."""
    letters = DeadLetters(tmp_path, MIB)
    bad = export_request([(resource_bytes({}), [encode_record(record(body=b"a\xffb"), UID)])])
    good = export_request([(resource_bytes({}), [encode_record(record(body="a\ufffdb".encode()), UID)])])
    assert await letters.write(bad, "no UTF-8")
    assert [good] == requests_in(letters)


async def test_what_is_no_request_holds(tmp_path: Path) -> None:
    """What cannot be read at all is not thrown away: it holds."""
    letters = DeadLetters(tmp_path, MIB)
    assert not await letters.write(b"\x0f\x0f", "nonsense")
    assert letters.told


async def test_a_file_that_is_replaced_is_opened_again(tmp_path: Path) -> None:
    """Whoever waits for the lock while the file is replaced writes to the new one."""
    letters = DeadLetters(tmp_path, MIB)
    assert await letters.write(request_of(b"one"), "too long")
    with locked(letters.path, "rb"):
        writing = asyncio.create_task(letters.write(request_of(b"two"), "too long"))
        await asyncio.to_thread(_wait_until_opened, letters.path)
        new = tmp_path / "new"
        new.touch()
        new.replace(letters.path)
    assert await writing
    assert [request_of(b"two")] == requests_in(letters)


def _wait_until_opened(path: Path) -> None:
    """Wait until this process has the file open twice: the holder of the lock and who waits for it."""
    while sum(_target(entry) == path for entry in Path("/proc/self/fd").iterdir()) < 2:
        pass


def _target(entry: Path) -> Path | None:
    try:
        return entry.readlink()
    except OSError:
        return None
