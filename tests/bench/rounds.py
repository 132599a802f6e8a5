"""Poll and scrape, beside prometheus-client, in interleaved rounds."""

from __future__ import annotations

import gc
import math
import resource
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from exporter.polling.histories import RECHECK_SECONDS
from tests.bench import baseline, simulated
from tests.bench.baseline import samples_in
from tests.bench.child import child
from tests.bench.measured import INTERVAL_SECONDS, Measured

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.bench.child import Child, Cost

CHANGED_PART = 0.01
FORMATS = {"text": False, "OpenMetrics": True}
_PAGE_BYTES = resource.getpagesize()


class Figures:
    """What was measured. Costs by name, one for each round; sizes by name."""

    def __init__(self) -> None:
        self.costs: defaultdict[str, list[Cost]] = defaultdict(list)
        self.sizes: dict[str, float] = {}

    def cpu_seconds(self, name: str) -> float:
        """Return the median CPU time of what was measured under a name."""
        return median(cost.cpu_seconds for cost in self.costs[name])

    def wall_seconds(self, name: str) -> float:
        """Return the median time by the clock on the wall."""
        return median(cost.wall_seconds for cost in self.costs[name])


async def measure(pipelines: int, rounds: int, folder: Path, say: Callable[[str], None]) -> Figures:
    """Run everything that needs no real server."""
    figures = Figures()
    with child(simulated.main, pipelines) as simulator:
        url = simulator.ask("url")
        resident = _resident_bytes()
        measured = Measured(folder, url)
        async with measured.opened():
            say(f"the first cycle: the list, and {pipelines} histories")
            figures.costs["poll, first"].append(await measured.poll())
            gc.collect()
            figures.sizes["resident bytes"] = _resident_bytes() - resident
            await _settle(measured)
            text = folder / "exposition.txt"
            text.write_bytes(measured.scrape(openmetrics=False)[1])
            say("prometheus-client takes over the same series; a round that is not counted")
            with child(baseline.main, text) as client:
                await _round(Figures(), measured, simulator, client)
                for number in range(rounds):
                    say(f"round {number + 1} of {rounds}")
                    await _round(figures, measured, simulator, client)
                    await _changed_round(figures, measured, simulator, round(CHANGED_PART * pipelines))
            figures.sizes["resident bytes at most"] = _peak_bytes() - resident
    return figures


async def _round(figures: Figures, measured: Measured, simulator: Child, client: Child) -> None:
    """Scrape after a quiet poll each, in both formats, with and without gzip, and have the other do the same."""
    for name, openmetrics in FORMATS.items():
        for gzip in (False, True):
            before = simulator.ask("requests")
            figures.costs["poll"].append(await measured.poll())
            figures.sizes["requests"] = max(simulator.ask("requests") - before, figures.sizes.get("requests", 0))
            cost, body = measured.scrape(openmetrics=openmetrics, gzip=gzip)
            kind = f"{name}, gzip" if gzip else name
            figures.costs[f"scrape {kind}"].append(cost)
            figures.sizes[f"bytes {kind}"] = len(body)
            if not gzip:
                figures.sizes[f"samples {name}"] = samples_in(body)
        rendered = client.ask("render", openmetrics)
        figures.costs[f"client {name}"].append(rendered.cost)
        assert rendered.samples == figures.sizes[f"samples {name}"], rendered.samples


async def _changed_round(figures: Figures, measured: Measured, simulator: Child, count: int) -> None:
    """Scrape in both formats after some pipelines have changed each time."""
    for name, openmetrics in FORMATS.items():
        simulator.ask("change", count)
        figures.costs["poll, changed"].append(await measured.poll())
        for gzip in (False, True):
            kind = f"{name}, gzip" if gzip else name
            figures.costs[f"scrape {kind}, changed"].append(measured.scrape(openmetrics=openmetrics, gzip=gzip)[0])
    await _settle(measured)


async def _settle(measured: Measured) -> None:
    """Poll until nothing is due: a changed pipeline's history is read once more a minute later."""
    for _ in range(math.ceil(RECHECK_SECONDS / INTERVAL_SECONDS) + 1):
        await measured.poll()


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
