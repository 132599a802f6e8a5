"""A real Prometheus that scrapes one exporter every second, and answers queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import yaml

from tests.integration.programs import Program, free_port
from tests.integration.waiting import until_equal

if TYPE_CHECKING:
    from pathlib import Path

Values = dict[tuple[str, ...], float]


class Prometheus(Program):
    """The server, with its configuration and data in a folder of its own."""

    def __init__(self, binary: Path, folder: Path, target: str) -> None:
        folder.mkdir()
        scrape = {"job_name": "exporter", "static_configs": [{"targets": [target]}]}
        settings = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(settings))
        port = free_port()
        command = (
            str(binary),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )
        super().__init__(command, port=port, ready_path="/-/ready", log=folder / "log.txt")

    async def values(self, query: str, *labels: str) -> Values:
        """Answer an instant query: the values by those labels, empty where nothing is there."""
        data = await self.api("query", query=query)
        return {
            tuple(row["metric"].get(label, "") for label in labels): float(row["value"][1]) for row in data["result"]
        }

    async def shows(self, query: str, expected: Values, *labels: str) -> None:
        """Wait until an instant query gives the expected values by those labels."""
        await until_equal(query, expected, lambda: self.values(query, *labels))

    async def targets(self) -> list[dict[str, Any]]:
        """Give what it says of the targets that it scrapes."""
        active: list[dict[str, Any]] = (await self.api("targets", state="active"))["activeTargets"]
        return active

    async def api(self, path: str, **parameters: str) -> Any:
        """Ask its API; AssertionError with its reason when it refuses."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/{path}", params=parameters) as answer,
        ):
            document = await answer.json()
        assert document["status"] == "success", f"{path} {parameters}: {document}"
        return document["data"]
