"""The exposition as its readers see it: both versions of Prometheus, promtool, the parsers of prometheus-client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.programs import free_port, output_of
from tests.integration.recorder import Scrape, recording
from tests.integration.stories import of_every_kind
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from prometheus_client import Metric

    from exporter.simulator.world import World
    from tests.integration.exporter import Exporter
    from tests.integration.prometheus import Prometheus
    from tests.integration.servers import Servers

pytestmark = pytest.mark.integration

OPENMETRICS = "application/openmetrics-text;version=1.0.0"


@pytest.fixture
async def populated(exporter: Exporter, world: World) -> Exporter:
    """Run an exporter that has seen pipelines in many states, and events after its first list."""
    await exporter.start()
    of_every_kind(world)

    async def counted() -> str:
        return (await exporter.metrics())[1]

    await until("events are counted", counted, lambda text: 'status="Unavailable"} 3' in text)
    return exporter


async def test_prometheus_scrapes(
    prometheus: Prometheus, new_exporter: Callable[[int], Exporter], exporter_port: int, world: World
) -> None:
    """Both versions of Prometheus ask for OpenMetrics and gzip, get them, and have the target up without an error."""
    of_every_kind(world)
    exporter = new_exporter(free_port())
    await exporter.start()
    async with recording(exporter_port, exporter.url) as scrapes:
        await until("the target is up", lambda: prometheus.values("up"), lambda values: values == {(): 1.0})
        [target] = await prometheus.targets()

    assert ("up", "") == (target["health"], target["lastError"])
    assert {f"Prometheus/{await version_of(prometheus)}"} == {scrape.user_agent for scrape in scrapes}
    assert {(200, "application/openmetrics-text", "1.0.0", "gzip")} == {what_came(scrape) for scrape in scrapes}


async def test_promtool_lints(populated: Exporter, servers: Servers) -> None:
    """`promtool check metrics` has nothing to say about names, HELP, types and units."""
    _, text = await populated.metrics()
    assert (0, "") == await output_of(str(servers.promtool), "check", "metrics", stdin=text.encode())


async def test_parsers_agree(populated: Exporter) -> None:
    """Both parsers of prometheus-client read both formats, and find the same families of what is observed."""
    text_type, text = await populated.metrics()
    openmetrics_type, openmetrics = await populated.metrics(OPENMETRICS)
    assert text_type.startswith("text/plain; version=0.0.4")
    assert openmetrics_type.startswith("application/openmetrics-text; version=1.0.0")
    in_text = samples_of(text_string_to_metric_families(text))
    in_openmetrics = samples_of(openmetrics_parser.text_string_to_metric_families(openmetrics))  # type: ignore[no-untyped-call]  # untyped there
    assert in_text
    assert in_text.keys() == in_openmetrics.keys()


def samples_of(families: Iterable[Metric]) -> dict[tuple[str, ...], float]:
    """Give the samples of what is observed, by name and labels; `_created` is OpenMetrics' alone."""
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("hosted_pipeline_") and not sample.name.endswith("_created")
    }


def what_came(scrape: Scrape) -> tuple[int, str, str, str]:
    """Take the answer to a scrape apart: status, media type, its version, encoding."""
    media_type, *parameters = (part.strip() for part in scrape.content_type.split(";"))
    versions = [value for name, _, value in (part.partition("=") for part in parameters) if name == "version"]
    return scrape.status, media_type, ",".join(versions), scrape.content_encoding


async def version_of(prometheus: Prometheus) -> str:
    """Ask a Prometheus for its version."""
    version: str = (await prometheus.api("status/buildinfo"))["version"]
    return version
