"""The example of a provider in one file: installed as a user would, found by its name, and watched by the service."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.app import Exporter
from exporter.config import ConfigError, load
from exporter.providers.base import Provider
from exporter.providers.registry import ENTRY_POINT_GROUP, provider_names
from exporter.running import check_online
from exporter.status.families import COUNTERS, GAUGES
from exporter.status.model import STATES, Event, Listing, PipelineNow
from tests.integration.waiting import until
from tests.providers.rivulet import KEY, Rivulet, rivulet

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

_ROOT = Path(__file__).parents[2]
_EXAMPLE = _ROOT / "examples" / "provider"

pytestmark = pytest.mark.usefixtures("_installed")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the example's package into a folder, without network."""
    folder = tmp_path_factory.mktemp("packages")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", "--target", str(folder), str(_EXAMPLE)], check=True)
    return folder


@pytest.fixture
def _installed(packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have it among the installed packages for one test."""
    monkeypatch.syspath_prepend(str(packages))
    yield
    sys.modules.pop("pipeline_exporter_rivulet", None)


class Service:
    """The service over one Rivulet account."""

    def __init__(self, folder: Path, vendor: Rivulet) -> None:
        self.vendor = vendor
        self._records = folder / "logs.jsonl"
        self._path = folder / "config.yaml"
        source = {
            "name": "mine",
            "provider": "rivulet",
            "url": vendor.url,
            "api_key": KEY,
            "interval": "50ms",
            "budget": "1000/s",
            "logs": {"multiline": {"timeout": "20ms"}},
        }
        keys = {
            "listen": "127.0.0.1:0",
            "data_dir": str(folder / "data"),
            "sources": [source],
            "otlp": {"protocol": "file", "endpoint": str(self._records), "batch": {"max_delay": "10ms"}},
        }
        self._path.write_text(yaml.safe_dump(keys))
        self.exporter = Exporter(self._path, load(self._path, {}, provider_names()))

    async def samples(self) -> dict[str, float]:
        """Scrape it: what is not zero, by name and the labels that tell samples of one pipeline apart."""
        url = f"{self.exporter.web.addresses[0]}metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            text = await answer.text()
        return {
            " ".join(
                [sample.name, *(value for key, value in sample.labels.items() if key not in {"provider", "source"})]
            ): (sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.value and sample.labels.get("provider") == "rivulet"
        }

    async def metrics(self, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
        """Scrape until something holds."""
        return await until("the metrics", self.samples, holds)

    async def lines(self, count: int, *, events: bool = False) -> list[tuple[str, str]]:
        """Wait for so many lines in the log records, or in the events; return them in order, each with its pipeline."""
        return await until(f"{count} lines", lambda: self._read(events=events), lambda found: len(found) >= count)

    async def _read(self, *, events: bool) -> list[tuple[str, str]]:
        written = self._records.read_text() if self._records.exists() else ""
        lines = written[: written.rfind("\n") + 1].splitlines()
        return [
            (_attributes(of["resource"])["service.name"], text)
            for line in lines
            for of in json.loads(line)["resourceLogs"]
            for scope in of["scopeLogs"]
            for record in scope["logRecords"]
            if ("eventName" in record) == events
            for text in record["body"]["stringValue"].split("\n")
        ]


def _attributes(of: Any) -> dict[str, Any]:
    return {one["key"]: one["value"].get("stringValue") for one in of["attributes"]}


@asynccontextmanager
async def running(folder: Path, vendor: Rivulet) -> AsyncIterator[Service]:
    """Run the service."""
    service = Service(folder, vendor)
    await service.exporter.start()
    try:
        yield service
    finally:
        await service.exporter.stop()


def test_it_is_found_by_its_name() -> None:
    """The package's entry point makes `provider: rivulet` a name that configurations may use."""
    (point,) = entry_points(group=ENTRY_POINT_GROUP, name="rivulet")

    assert ("pipeline_exporter_rivulet:Rivulet", True) == (point.value, "rivulet" in provider_names())


async def test_its_flows_are_metrics(tmp_path: Path) -> None:
    """States in both vocabularies, gauges, counters and errors of the vendor are on /metrics; changes are counted once."""
    async with rivulet() as vendor:
        vendor.add("f1", "orders", backlog=12, processed=100)
        async with running(tmp_path, vendor) as service:
            # Gauges of now are left out while the newest list is older than five of these very short intervals.
            first = await service.metrics(
                lambda samples: (
                    samples.keys() >= {"hosted_pipeline_records_total orders", "hosted_pipeline_state orders running"}
                )
            )
            broken = {"state": "broken", "since": "2026-11-21T10:05:00Z", "processed": 130}
            vendor.flows["f1"] |= {**broken, "error": {"code": "SinkDown", "text": "no route"}}
            second = await service.metrics(
                lambda samples: (
                    samples.keys()
                    >= {
                        "hosted_pipeline_status_transitions_total orders flow broken",
                        "hosted_pipeline_state orders failed",
                    }
                )
            )

    assert {
        "hosted_pipeline_source_up": 1,
        "hosted_pipeline_up orders": 1,
        "hosted_pipeline_state orders running": 1,
        "hosted_pipeline_status orders flow flowing": 1,
        "hosted_pipeline_desired_status orders flow flowing": 1,
        "hosted_pipeline_in_desired_state orders": 1,
        "hosted_pipeline_pending_records orders": 12,
        "hosted_pipeline_records_total orders": 100,
        "hosted_pipeline_status_since_timestamp_seconds orders flow": 1795255200,
    }.items() <= first.items()
    assert {
        "hosted_pipeline_state orders failed": 1,
        "hosted_pipeline_error orders": 1,
        "hosted_pipeline_error_info orders SinkDown": 1,
        "hosted_pipeline_status_transitions_total orders flow broken": 1,
        "hosted_pipeline_records_total orders": 130,
        "hosted_pipeline_status_since_timestamp_seconds orders flow": 1795255500,
    }.items() <= second.items()
    assert "hosted_pipeline_in_desired_state orders" not in second


async def test_its_logs_are_records(tmp_path: Path) -> None:
    """Each line is a record once and in order, over a broken connection and a restart of the service."""
    async with rivulet() as vendor:
        log = vendor.add("f1", "orders")
        await log.write("2026-11-21T10:00:00Z INFO one", "2026-11-21T10:00:01Z WARN two")
        async with running(tmp_path, vendor) as service:
            await service.lines(2)
            await log.cut()
            await log.write("2026-11-21T10:00:02Z INFO three")
            await service.lines(3)
            scraped = await service.metrics(
                lambda samples: "hosted_pipeline_log_reconnects_total orders cut" in samples
            )
        await log.write("2026-11-21T10:00:03Z INFO four")
        async with running(tmp_path, vendor) as service:
            found = await service.lines(4)

    assert [("orders", text) for text in ("one", "two", "three", "four")] == found
    assert (2, 1) == tuple(scraped[f"hosted_pipeline_log_lines_total orders {level}"] for level in ("info", "warn"))


async def test_lines_that_the_vendor_dropped_are_a_gap(tmp_path: Path) -> None:
    """What was discarded while nobody read is counted, and reading goes on behind it."""
    async with rivulet() as vendor:
        log = vendor.add("f1", "orders")
        await log.write(*(f"old {number}" for number in range(20)))
        async with running(tmp_path, vendor) as service:
            await service.lines(20)
        await log.write(*(f"new {number}" for number in range(10_001)))
        async with running(tmp_path, vendor) as service:
            found = await service.lines(20 + 10_000)
            scraped = await service.metrics(lambda samples: "hosted_pipeline_log_gaps_total orders overflow" in samples)

    assert [("orders", "old 19"), ("orders", "new 1")] == found[19:21]
    assert 1 == scraped["hosted_pipeline_log_gaps_total orders overflow"]


async def test_a_vendor_without_logs_is_asked_for_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider whose `logs` is None has no metrics of logs, and its events are sent all the same."""
    (point,) = entry_points(group=ENTRY_POINT_GROUP, name="rivulet")
    monkeypatch.setattr(point.load(), "logs", None)
    async with rivulet() as vendor:
        log = vendor.add("f1", "orders")
        await log.write("never read")
        async with running(tmp_path, vendor) as service:
            await service.metrics(lambda samples: "hosted_pipeline_up orders" in samples)
            vendor.flows["f1"] |= {"state": "held", "since": "2026-11-21T10:05:00Z"}
            found = await service.metrics(
                lambda samples: "hosted_pipeline_status_transitions_total orders flow held" in samples
            )
            records = await service.lines(1, events=True)

    assert [] == [name for name in found if name.startswith("hosted_pipeline_log_")]
    assert [("orders", "flow: flowing → held")] == records


async def test_a_flow_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    """The others are shown all the same, and a second flow of one name is none of them."""
    async with rivulet() as vendor:
        vendor.add("f1", "orders")
        vendor.add("f2", "billing", since="yesterday")
        vendor.add("f3", "orders", state="held")
        async with running(tmp_path, vendor) as service:
            samples = await service.metrics(lambda samples: "hosted_pipeline_up orders" in samples)

    assert ["hosted_pipeline_state orders running"] == [
        one for one in samples if one.startswith("hosted_pipeline_state ")
    ]


async def test_a_refused_key_is_a_source_that_is_down(tmp_path: Path) -> None:
    """Errors of the shared client are understood by the service; nothing but GET was ever asked."""
    async with rivulet() as vendor:
        vendor.add("f1", "orders")
        async with running(tmp_path, vendor) as service:
            await service.metrics(lambda samples: "hosted_pipeline_source_up" in samples)
            vendor.key = "another"
            samples = await service.metrics(lambda samples: "hosted_pipeline_source_up" not in samples)
            _, ready = service.exporter.readiness()

    assert "hosted_pipeline_up orders" not in samples
    assert "answered 401 Unauthorized: no such key" in ready
    assert {"GET"} == vendor.methods


async def test_check_asks_it(tmp_path: Path) -> None:
    """`check --online` says what was found."""
    async with rivulet() as vendor:
        vendor.add("f1", "orders")
        found = await check_online(Service(tmp_path, vendor).exporter.config)

    assert (True, "Rivulet 3.1, 1 of 1 pipelines selected") == (found["mine"].ok, found["mine"].found)


def test_without_the_package_the_name_is_refused(
    tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration that names a provider that is not installed is refused."""
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(packages)])
    path = tmp_path / "config.yaml"
    path.write_text("sources:\n- {name: mine, provider: rivulet, url: 'http://127.0.0.1:1'}\n")

    with pytest.raises(ConfigError, match="unknown provider 'rivulet'"):
        load(path, {}, provider_names())


def test_documented() -> None:
    """The page for authors names every method, field, gauge and counter that there is, and the example's entry point."""
    page = (_ROOT / "docs" / "providers.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", page))
    methods = {name for name in vars(Provider) if not name.startswith("_") and name != "vocabulary"}
    fields = {one.name for kind in (PipelineNow, Listing) for one in dataclasses.fields(kind)} | set(Event._fields)
    figures = page.partition("| gauges | counters |")[2].split("\n\n")[0]
    entry_point = 'rivulet = "pipeline_exporter_rivulet:Rivulet"'

    assert set() == (methods | fields | set(STATES)) - named
    assert set(GAUGES) | set(COUNTERS) == set(re.findall(r"`(\w+)`", figures))
    assert entry_point in page
    assert entry_point in (_EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
