"""`pipeline-exporter run` as it is installed, in a process of its own, watched from outside."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.integration.programs import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STOP_SECONDS = 30.0

_UNCOMPILED = """
import sys
from exporter import compiled
sys.modules |= dict.fromkeys(compiled.MODULES)
from exporter.__main__ import main
main()
"""


class Process:
    """A running exporter."""

    def __init__(self, pid: int, url: str) -> None:
        self._pid = pid
        self._url = url

    def cpu_seconds(self) -> float:
        """Return what all its threads, and the processes that it started, have used up to now."""
        total = 0
        for pid in self._tree():
            # After the name, which may hold anything: utime, stime, and those of children that have ended.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
        return total / _TICKS

    def resident_bytes(self) -> int:
        """Return the memory of the process."""
        return int(Path(f"/proc/{self._pid}/statm").read_text().split()[1]) * _PAGE_BYTES

    def metrics(self) -> str:
        """Return what it exposes."""
        with urllib.request.urlopen(f"{self._url}/metrics", timeout=60) as answer:
            return str(answer.read().decode())

    def _tree(self) -> list[int]:
        pids = [self._pid]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        return pids


@contextmanager
def running(
    folder: Path, feldera: str, collector: str | None, compression: str = "none", *, compiled: bool = True
) -> Iterator[Process]:
    """Run the exporter with one source, and without a collector without logs. `compiled`: with what was compiled of it."""
    port = free_port()
    source = {"name": "bench", "provider": "feldera", "url": feldera, "interval": "1h", "sweep": "8760h"}
    config: dict[str, object] = {
        "listen": f"127.0.0.1:{port}",
        "data_dir": str(folder / "data"),
        "sources": [source | {"budget": "100000/s", "timeout": "60s", "logs": {"max_streams": 10_000}}],
    }
    if collector is not None:
        config["otlp"] = {"endpoint": collector, "compression": compression}
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(config))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    with (
        (folder / "exporter.log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, *(("-m", "exporter") if compiled else ("-c", _UNCOMPILED)), "run", "--config", path],
            stdout=log,
            stderr=log,
            env=environment,
        ) as process,
    ):
        try:
            yield Process(process.pid, f"http://127.0.0.1:{port}")
            process.terminate()
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()


def quantile(metrics: str, name: str, part: float) -> tuple[float, float]:
    """Return the bounds of the histogram's bucket in which the quantile lies."""
    buckets = re.findall(rf'^{name}_bucket{{le="([^"]+)"}} (\S+)', metrics, re.MULTILINE)
    below, total = 0.0, float(buckets[-1][1])
    for bound, count in buckets:
        if float(count) >= part * total:
            return below, float(bound)
        below = float(bound)
    raise ValueError(buckets)


def wait_for(what: str, done: object, seconds: float = 120.0) -> None:
    """Wait until `done()` is true. TimeoutError with `what` when nothing comes of it."""
    assert callable(done)
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.02)
