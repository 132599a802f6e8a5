"""The exporter's lives: started, watched until it reads, killed at a random moment or stopped, started again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.programs import Program, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping

_ROOT = Path(__file__).parents[2]
_SIGNS = ("Traceback", "CRITICAL", "corrupt")


class Exporter(Program):
    """`python -m exporter run` of this tree, with a configuration that may change from life to life."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.config = folder / "exporter.yaml"
        port = free_port()
        self._settings = {"listen": f"127.0.0.1:{port}", "data_dir": str(folder / "data"), **settings}
        self.configure()
        # The tree that this file is in is the one that is tried, whatever is installed.
        os.environ["PYTHONPATH"] = str(_ROOT)
        command = (sys.executable, "-m", "exporter", "run", "--config", str(self.config))
        super().__init__(command, port=port, ready_path="/-/ready", log=folder / "exporter.log")

    def configure(self, **changes: Any) -> None:
        """Write the configuration, whole at any moment."""
        self._settings |= changes
        new = self.config.with_suffix(".new")
        new.write_text(yaml.safe_dump(self._settings))
        new.replace(self.config)

    async def kill(self) -> None:
        """End it without a word."""
        self.send(signal.SIGKILL)
        await self.ended()

    async def metrics(self) -> Samples:
        """Scrape it."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as answer:
            return Samples(await answer.text())

    def signs_of_trouble(self) -> list[str]:
        """Return what its log has that must never be there."""
        text = self.log.read_text()
        found = []
        for sign in _SIGNS:
            if sign in text:
                at = text.index(sign)
                found.append(f"the exporter's log has {sign!r}: …{text[max(0, at - 300) : at + 1500]}")
        return found


class Samples:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all: list[tuple[str, Mapping[str, str], float]] = [
            (sample.name, sample.labels, sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]

    def of(self, name: str, **labels: str) -> dict[tuple[str, ...], float]:
        """Return a metric's values by its other labels, in the order of their names."""
        return {
            tuple(value for key, value in sorted(found.items()) if key not in {"provider", "source", *labels}): value
            for sample, found, value in self.all
            if sample == name and labels.items() <= found.items()
        }

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's values."""
        return sum(value for sample, found, value in self.all if sample == name and labels.items() <= found.items())


async def until(what: str, holds: Any, seconds: float = 60.0) -> None:
    """Wait until a condition of this process holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.05)
