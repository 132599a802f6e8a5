"""The command `pipeline-exporter`. Signals are minded first: loading the rest takes a moment, and one may come by then."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the command line; until the service minds signals itself, SIGTERM stops with status 0 and SIGHUP is nothing."""
    signal.signal(signal.SIGTERM, lambda _number, _frame: os._exit(0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    from exporter.cli import main as command  # noqa: PLC0415  (loading it is what takes a moment)

    command(prog_name="pipeline-exporter")


if __name__ == "__main__":
    main()
