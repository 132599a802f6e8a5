"""What the process of a pipeline prints when it starts, is switched, and panics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

    from exporter.simulator.log_style import LogStyle

SERVER = "dbsp_adapters::server"
_STORAGE = {
    "backend": {"name": "default"},
    "min_storage_bytes": None,
    "min_step_storage_bytes": None,
    "compression": "default",
    "cache_mib": None,
}
_PANIC = """
thread 'dbsp-worker-0' (21931) panicked at crates/dbsp/src/operator/dynamic/aggregate.rs:914:114:
called `Option::unwrap()` on a `None` value
stack backtrace:
   0: __rustc::rust_begin_unwind
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/panicking.rs:697:5
   1: core::panicking::panic_fmt
             at /rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/core/src/panicking.rs:75:14
   2: dbsp::operator::dynamic::aggregate::eval
             at ./crates/dbsp/src/operator/dynamic/aggregate.rs:914:114
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace."""


def configuration_lines(style: LogStyle, inputs: dict[str, Any]) -> list[bytes]:
    """Return the configuration as it is dumped at a start, with whatever secrets the connectors hold."""
    directory = f"pipeline-{style.pipeline_id}"
    document = {
        "name": directory,
        "given_name": style.name,
        "workers": 8,
        "storage": _STORAGE,
        "inputs": inputs,
    }
    return (
        (
            f"Pipeline configuration read from /opt/feldera/wd/runner/{directory}/config.yaml.\n"
            f"Pipeline configuration loaded successfully: {json.dumps(document, indent=2)}"
        )
        .encode()
        .split(b"\n")
    )


def start_lines(style: LogStyle, at_us: int, deployment_id: str, desired: str, port: int) -> list[bytes]:
    """Return what a process says while it starts."""
    said = (
        (SERVER, f"Pipeline deployment identifier from arguments: {deployment_id}"),
        (SERVER, f"Desired status from arguments: {desired}"),
        ("actix_server::builder", "starting 2 workers"),
        (SERVER, f"Started HTTP server on port {port}"),
    )
    return [style.process(at_us + 40 * number, "INFO", *words) for number, words in enumerate(said)]


def panic_lines() -> list[bytes]:
    """Return a panic as Rust's runtime prints it: no head, no time, a blank line before."""
    return _PANIC.encode().split(b"\n")


def mixed(random: Random, first: list[bytes], second: list[bytes]) -> list[bytes]:
    """Return two streams of one process as the runner reads them: each in order, one inside of the other."""
    lines = list(first)
    place = 0
    for line in second:
        place = random.randint(place, len(lines))
        lines.insert(place, line)
        place += 1
    return lines
