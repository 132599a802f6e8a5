"""`replay` sends a dead-letter file again: what is accepted leaves the file, what is refused stays in it."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from exporter.cli import main
from exporter.otlp.dead_letters import DeadLetters
from exporter.otlp.json_lines import to_json_line
from tests.otlp.receiver import Received, Receiver, Reply, grpc_receiver, http_receiver, rejecting
from tests.otlp.sending import request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

SECONDS = 60


def line(*bodies: str) -> bytes:
    """Return a request as a line."""
    return to_json_line(request_of(*[body.encode() for body in bodies]))


def letters(folder: Path, *lines: bytes) -> Path:
    """Write a file of lines."""
    path = folder / "dead-letter.jsonl"
    path.write_bytes(b"".join(lines))
    return path


def configured(folder: Path, url: str | None, **otlp: Any) -> Path:
    """Write a configuration with this destination."""
    path = folder / "config.yaml"
    text = f"data_dir: {folder}/data\nsources: [{{name: prod, provider: feldera, url: 'http://127.0.0.1:1'}}]\n"
    if url is not None:
        text += f"otlp: {{{', '.join(f'{key}: {value}' for key, value in ({'endpoint': url} | otlp).items())}}}\n"
    path.write_text(text)
    return path


async def in_a_process(*words: object) -> tuple[int | None, str, str]:
    """Run the command as its users do; return its exit status and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "exporter", "replay", *map(str, words), stdout=-1, stderr=-1
    )
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def replay(*words: object) -> tuple[int, str, str]:
    """Run the command in a thread, which takes a twentieth of the time; return its exit status and what it said."""
    async with asyncio.timeout(SECONDS):
        result = await asyncio.to_thread(CliRunner().invoke, main, ["replay", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """Undo what the command does to the log of the process."""
    root, quiet = logging.getLogger(), [logging.getLogger("apscheduler"), logging.getLogger("asyncio")]
    handlers, levels = root.handlers[:], [one.level for one in (root, *quiet)]
    yield
    root.handlers[:] = handlers
    for one, level in zip((root, *quiet), levels, strict=True):
        one.setLevel(level)


@pytest.mark.parametrize(
    ("protocol", "receive"), [("http/protobuf", http_receiver), ("grpc", grpc_receiver)], ids=["http", "grpc"]
)
async def test_all_sent(
    tmp_path: Path, protocol: str, receive: Callable[[], AbstractAsyncContextManager[Receiver]]
) -> None:
    """A file whose records are accepted is sent in its order, a request for many lines, and is empty then."""
    file = letters(tmp_path, *(line(f"a{number}") for number in range(20)))
    async with receive() as receiver:
        result = await in_a_process(file, "--config", configured(tmp_path, receiver.url, protocol=protocol))
    assert (0, "20 records sent\n", "") == result
    assert [[f"a{number}" for number in range(20)]] == [one.bodies for one in receiver.requests]
    assert (b"", ["config.yaml", "dead-letter.jsonl"]) == (
        file.read_bytes(),
        sorted(one.name for one in tmp_path.iterdir()),
    )


async def test_requests_have_their_limits(tmp_path: Path) -> None:
    """No request has more records than it may."""
    file = letters(tmp_path, line("a1", "a2"), line("a3"), line("a4", "a5"), line("a6"))
    async with http_receiver() as receiver:
        config = configured(tmp_path, receiver.url, batch="{max_records: 3}")
        assert (0, "6 records sent\n", "") == await replay(file, "--config", config)
    assert [["a1", "a2", "a3"], ["a4", "a5", "a6"]] == [one.bodies for one in receiver.requests]


async def test_what_is_refused_stays(tmp_path: Path) -> None:
    """A record that is refused again stays in the file, with a message; the others are sent, each once."""
    lines = [line(f"a{number}") for number in range(9)]
    file = letters(tmp_path, *lines)
    accepted: list[str] = []

    def answer(received: Received) -> Reply:
        if {"a3", "a7"} & set(received.bodies):
            return Reply(400, message="too long")
        accepted.extend(received.bodies)
        return Reply()

    async with http_receiver() as receiver:
        receiver.answer = answer
        status, out, err = await replay(file, "--config", configured(tmp_path, receiver.url))
    assert (1, "7 records sent\n") == (status, out)
    assert [f"{file}: line 4 stays: ", f"{file}: line 8 stays: "] == [
        one[: len(f"{file}: line 4 stays: ")] for one in err.splitlines()[:2]
    ]
    assert f"Error: not all was sent: the rest is in {file}" == err.splitlines()[2]
    assert lines[3] + lines[7] == file.read_bytes()
    assert [f"a{number}" for number in range(9) if number not in (3, 7)] == accepted


async def test_lines_that_are_no_request_stay(tmp_path: Path) -> None:
    """A line that holds no log records is never thrown away; blank lines are."""
    half = b'{"resourceLogs":[{"scope'
    file = letters(tmp_path, b"hello\n", line("a1"), b"\n", b'{"name":"kept"}\n', line("a2"), half)
    async with http_receiver() as receiver:
        status, out, err = await replay(file, "--config", configured(tmp_path, receiver.url))
    assert (1, "2 records sent\n") == (status, out)
    assert ["line 1 stays", "line 4 stays", "line 6 stays"] == [
        one.split(": ")[1] for one in err.splitlines() if " stays: " in one
    ]
    assert b'hello\n{"name":"kept"}\n' + half == file.read_bytes()
    assert ["a1", "a2"] == receiver.bodies


async def test_a_busy_destination_is_tried_again(tmp_path: Path) -> None:
    """A destination that is busy for a while is tried again until it accepts."""
    file = letters(tmp_path, line("a1"))
    async with http_receiver() as receiver:
        receiver.replies += [Reply(503), Reply(429, headers={"Retry-After": "1"})]
        result = await replay(file, "--config", configured(tmp_path, receiver.url))
    assert (0, "1 records sent\n") == result[:2]
    assert "answered 503" in result[2]
    assert 1 == result[2].count("\n")
    assert (["a1"] * 3, b"") == (receiver.bodies, file.read_bytes())


@pytest.mark.parametrize(("code", "said"), [(503, "gave up after"), (500, "gave up after"), (401, "answered 401")])
async def test_a_destination_that_takes_nothing(tmp_path: Path, code: int, said: str) -> None:
    """When the destination does not accept in time or refuses to be used, what was not sent stays in the file."""
    lines = [line("a1"), line("a2"), line("a3")]
    file = letters(tmp_path, *lines)
    async with http_receiver() as receiver:
        receiver.answer = lambda received: Reply(code) if "a2" in received.bodies else Reply()
        config = configured(tmp_path, receiver.url, batch="{max_records: 1}")
        status, out, err = await replay(file, "--config", config, "--timeout", "100ms")
    assert (1, "1 records sent\n") == (status, out)
    assert said in err
    assert lines[1] + lines[2] == file.read_bytes()


async def test_rejected_records_stay(tmp_path: Path) -> None:
    """Where some of a request's records are rejected and nobody says which, its lines stay: better twice than lost."""
    file = letters(tmp_path, line("a1"), line("a2"), line("a3"))
    async with http_receiver() as receiver:
        receiver.replies.append(rejecting(1, "too old"))
        config = configured(tmp_path, receiver.url, batch="{max_records: 2}")
        status, out, err = await replay(file, "--config", config)
    assert (1, "2 records sent\n") == (status, out)
    assert f"{file}: lines 1 to 2 stay: 1 of 2 records were rejected: too old" == err.splitlines()[0]
    assert line("a1") + line("a2") == file.read_bytes()


async def test_the_service_may_append_meanwhile(tmp_path: Path) -> None:
    """What the service puts aside while the file is replayed is in it afterwards."""
    file = letters(tmp_path, line("a1"))
    service = DeadLetters(tmp_path, 1_000_000)

    async with http_receiver() as receiver:
        receiver.replies.append(Reply(503))
        running = asyncio.create_task(replay(file, "--config", configured(tmp_path, receiver.url)))
        await receiver.wait_for(lambda found: bool(found.requests))
        assert await service.write(request_of(b"new"), "refused")
        assert (0, "1 records sent\n") == (await running)[:2]
        assert line("new") == file.read_bytes()
        assert await service.write(request_of(b"newer"), "refused")
    assert line("new") + line("newer") == file.read_bytes()


async def test_what_cannot_be_used(tmp_path: Path) -> None:
    """A file that cannot be read, no destination, or a bad option is wrong usage, and nothing is changed."""
    file = letters(tmp_path, line("a1"))
    config = configured(tmp_path, "http://127.0.0.1:1")
    status, _, err = await replay(tmp_path / "missing", "--config", config)
    assert (2, f"Error: {tmp_path}/missing cannot be read: No such file or directory\n") == (status, err)
    status, _, err = await replay(tmp_path, "--config", config)
    assert (2, f"Error: {tmp_path} cannot be read: Is a directory\n") == (status, err)
    status, _, err = await replay(file, "--config", config, "--timeout", "soon")
    assert 2 == status
    assert "'soon'" in err
    assert 2 == (await replay(file))[0]
    status, _, err = await replay(file, "--config", configured(tmp_path, None))
    assert (2, f"Error: {config} has no `otlp` block: there is nowhere to send to\n") == (status, err)
    status, _, err = await replay(file, "--config", configured(tmp_path, str(file), protocol="file"))
    assert (2, f"Error: {file} is the configured destination itself\n") == (status, err)
    assert line("a1") == file.read_bytes()
