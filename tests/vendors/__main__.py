"""`python -m tests.vendors apify --kills 40`: exit status 1 when something was lost, invented or repeated without excuse."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.vendors import apify_storm, goldrush_storm

if TYPE_CHECKING:
    from tests.vendors.report import Report


def main() -> int:
    """Run a storm and tell how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.vendors", description=__doc__)
    parser.add_argument("vendor", choices=["apify", "goldrush"])
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--budget", default="")
    parser.add_argument("--pipelines", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the exporter's data and log, to look at afterwards")
    arguments = parser.parse_args()
    # Servers whose clients are killed have much to tell.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="pipeline-exporter-vendors-") as folder:
        if arguments.keep:
            arguments.keep.mkdir(parents=True)
        report = asyncio.run(_storm(arguments, arguments.keep or Path(folder)))
    sys.stdout.write(f"{report}\n")
    return 1 if report.problems else 0


async def _storm(arguments: argparse.Namespace, folder: Path) -> Report:
    if arguments.vendor == "apify":
        jobs = apify_storm.Options(streams=arguments.streams, kills=arguments.kills, seed=arguments.seed)
        return await apify_storm.storm(jobs, folder, _say)
    killed = (
        {"rates": (0.0, 5.0, 20.0, 60.0), "linger_seconds": 30.0, "kills": arguments.kills} if arguments.kills else {}
    )
    tails = goldrush_storm.Options(
        seed=arguments.seed,
        seconds=arguments.seconds,
        budget=arguments.budget,
        pipelines=arguments.pipelines,
        **killed,
    )
    return await goldrush_storm.storm(tails, folder, _say)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
