"""The exporter's configuration in a storm: the way to the collector and the journal's limit change from life to life."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.chaos.collector import TIMEOUT_SECONDS
from tests.integration.programs import Program, free_port

if TYPE_CHECKING:
    from random import Random

    from tests.chaos.collector import Collector

SOURCE = "chaos"
_ROOT = Path(__file__).parents[2]
_LIMITS = ("1GiB", "1GiB", "3MiB")
"""The smallest is full when the collector is down for long: reading pauses, and the vendor's buffer holds the rest. It
must have room in its reserve for all events that can wait: the oldest of more are dropped, as is documented."""


class Settings:
    """The exporter's configuration file."""

    def __init__(self, folder: Path, source_url: str, collector: Collector, random: Random) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._source_url = source_url
        self._collector = collector
        self._random = random
        self._port = free_port()
        self._path = folder / "exporter.yaml"
        self._otlp: dict[str, object] = {}
        self.limit = ""
        self.change()

    def change(self) -> None:
        """Choose how records are sent, and how many may wait."""
        url, protocol = self._random.choice(
            ((self._collector.url, "http/protobuf"), (self._collector.grpc_url, "grpc"))
        )
        self._otlp = {"endpoint": url, "protocol": protocol, "timeout": f"{TIMEOUT_SECONDS:g}s"}
        self.limit = self._random.choice(_LIMITS)

    def write(self, interval: str = "1s") -> None:
        """Write it, whole at any moment."""
        source = {
            "name": SOURCE,
            "provider": "feldera",
            "url": self._source_url,
            "interval": interval,
            "budget": "1000/s",
        }
        settings = {
            "listen": f"127.0.0.1:{self._port}",
            "data_dir": str(self.data),
            "sources": [source],
            "otlp": self._otlp,
            "journal": {"limit": self.limit},
        }
        new = self._path.with_suffix(".new")
        new.write_text(yaml.safe_dump(settings))
        new.replace(self._path)

    def exporter(self) -> Program:
        """Return the exporter, not started yet."""
        self.write()
        # The tree that this file is in is the one that is tried, whatever is installed.
        os.environ["PYTHONPATH"] = str(_ROOT)
        command = (sys.executable, "-m", "exporter", "run", "--config", str(self._path))
        return Program(command, port=self._port, ready_path="/-/ready", log=self._folder / "exporter.log")
