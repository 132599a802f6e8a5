"""Real programs as subprocesses: started, watched while they start, and stopped by their process id."""

from __future__ import annotations

import asyncio
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

from tests.integration.waiting import until

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Sequence


def free_port() -> int:
    """Give a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """A program that serves HTTP on a loopback port. What it writes goes to a file."""

    def __init__(self, command: Sequence[str], *, port: int, ready_path: str, log: Path) -> None:
        self.command = tuple(command)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._ready_url = self.url + ready_path
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it and wait until it says that it is ready; AssertionError with its log if it ends instead."""
        await self.launch()
        await until(f"{self.command[0]} is ready", self._ready_status, lambda status: status == 200)

    async def launch(self) -> None:
        """Start it without waiting for anything."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this very process."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, seconds: float = 30) -> int:
        """Wait for its end and give its exit status; AssertionError if it lives on."""
        assert self._process is not None
        try:
            return await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            raise AssertionError(f"still alive after {seconds} s: {self.command}\n{self.log.read_text()}") from None

    async def stop(self) -> None:
        """End it if it lives: asked first, killed if it does not listen."""
        if self._process is None or self._process.returncode is not None:
            return
        self.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), 15)
        except TimeoutError:
            self.send(signal.SIGKILL)
            await self._process.wait()

    async def resident_bytes(self) -> int:
        """Read how much memory it has now."""
        assert self._process is not None
        status = await asyncio.to_thread(Path(f"/proc/{self._process.pid}/status").read_text)
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    async def logged(self) -> str:
        """Read all that it wrote so far."""
        return await asyncio.to_thread(self.log.read_text)

    async def _ready_status(self) -> int | None:
        assert self._process is not None
        if self._process.returncode is not None:
            raise AssertionError(f"ended with {self._process.returncode}: {self.command}\n{self.log.read_text()}")
        try:
            async with aiohttp.ClientSession() as session, session.get(self._ready_url) as answer:
                return answer.status
        except aiohttp.ClientError:
            return None


async def output_of(*command: str, stdin: bytes = b"") -> tuple[int, str]:
    """Run a program to its end; its exit status and all that it wrote."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    written, _ = await asyncio.wait_for(process.communicate(stdin), 60)
    assert process.returncode is not None
    return process.returncode, written.decode()
