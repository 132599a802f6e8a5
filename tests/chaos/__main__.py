"""`python -m tests.chaos --kills 200 --seed 1`: exit status 1 when a line was lost, invented or repeated without excuse."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.chaos.storm import CURSORS, REPLAYS, Options, storm

_MODES = {"cursor": (CURSORS,), "legacy": (REPLAYS,), "both": (CURSORS, REPLAYS)}


def main() -> int:
    """Run a storm and tell how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=_MODES, default="both")
    parser.add_argument("--keep", type=Path, help="a folder for the exporter's data and log, to look at afterwards")
    arguments = parser.parse_args()
    options = Options(kills=arguments.kills, seed=arguments.seed, modes=_MODES[arguments.mode])
    # Servers whose clients are killed have much to tell.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="pipeline-exporter-chaos-") as folder:
        if arguments.keep:
            arguments.keep.mkdir(parents=True)
        report = asyncio.run(storm(options, arguments.keep or Path(folder), _say))
    sys.stdout.write(f"{report}\n")
    return 1 if report.problems else 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
