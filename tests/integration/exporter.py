"""The exporter as users run it: the installed command, with a configuration and a data folder of its own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

from tests.integration.programs import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = str(Path(sys.executable).with_name("pipeline-exporter"))


class Exporter(Program):
    """`pipeline-exporter run`; what it logs goes to a file. `further` are more keys of its configuration, like `otlp`."""

    def __init__(self, folder: Path, port: int, sources: list[Mapping[str, Any]], **further: Mapping[str, Any]) -> None:
        folder.mkdir()
        self.config = folder / "pipeline-exporter.yaml"
        settings = {"listen": f"127.0.0.1:{port}", "data_dir": str(folder / "data"), "sources": sources, **further}
        self.config.write_text(yaml.safe_dump(settings))
        command = (COMMAND, "run", "--config", str(self.config))
        super().__init__(command, port=port, ready_path="/-/ready", log=folder / "stderr.txt")

    async def metrics(self, accept: str = "text/plain;version=0.0.4") -> tuple[str, str]:
        """Scrape it: the content type and the text."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/metrics", headers={"Accept": accept}) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return answer.headers["Content-Type"], await answer.text()
