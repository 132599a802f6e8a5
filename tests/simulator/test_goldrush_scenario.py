"""Scripted GoldRush pipelines."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from exporter.simulator import ScenarioError, SimulatorOptions, World, load_scenario, plan_scenario, run_simulator
from exporter.simulator.goldrush_pod import FAILED_FETCH
from exporter.simulator.goldrush_scenario import GOLDRUSH_WORDS
from exporter.simulator.goldrush_world import GoldRushWorld

_DOCUMENT = Path(__file__).parents[2] / "docs" / "simulator.md"
_STORY = """
- {at: 0, vendor: goldrush, pipeline: Base swaps, do: create, phase: RUNNING, replicas: 2}
- {at: 1, vendor: goldrush, pipeline: Base swaps, do: records, per_second: 100}
- {at: 2, vendor: goldrush, pipeline: Base swaps, do: log, text: hello, pod: 1}
- {at: 3, vendor: goldrush, pipeline: Base swaps, do: skip, count: 3}
- {at: 4, vendor: goldrush, pipeline: Base swaps, do: window, lines: 1}
- {at: 4, vendor: goldrush, pipeline: Base swaps, do: health, error: refused}
- {at: 5, vendor: goldrush, pipeline: Base swaps, do: fail_log_fetch, count: 1, pod: 0}
- {at: 6, vendor: goldrush, pipeline: Base swaps, do: log, text: x, pod: 7}
- {at: 10, vendor: goldrush, pipeline: Base swaps, do: replace_pod, pod: 1, down_seconds: 60}
- {at: 20, vendor: goldrush, pipeline: Base swaps, do: status, phase: RUNNING, replicas: 3, ready: 1}
- {at: 21, vendor: goldrush, pipeline: Base swaps, do: health}
- {at: 22, vendor: goldrush, pipeline: Base swaps, do: rename, to: Swaps}
- {at: 23, vendor: goldrush, pipeline: Swaps, do: print, lines_per_second: 2, torn: true}
- {at: 30, vendor: goldrush, pipeline: Swaps, do: fail, cause: write}
- {at: 40, vendor: goldrush, pipeline: Swaps, do: delete}
- {at: 41, vendor: goldrush, pipeline: Swaps, do: pause}
"""


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return path


def test_a_story_happens_as_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every step happens at its time in GoldRush's world; one that cannot is logged and left out."""
    feldera, world = World(), GoldRushWorld()
    plan_scenario(feldera, load_scenario(_write(tmp_path, _STORY)), goldrush=world)
    feldera.advance(60)
    world.advance(5.5)
    pipeline = world.find("Base swaps")
    assert pipeline is not None
    assert [FAILED_FETCH, "hello\n"] == [pod["logs"] for pod in pipeline.logs_document()["pods"]]
    assert (450, 3) == tuple(pipeline.metrics_document()[key] for key in ("records_consumed", "normalization_errors"))
    assert "refused" == pipeline.health_document()["last_error"]
    world.advance(10)
    assert (2, 1) == (pipeline.worker.replicas, pipeline.worker.ready)
    world.advance(10)
    assert (3, 1, True) == (pipeline.worker.replicas, pipeline.worker.ready, pipeline.health_document()["healthy"])
    world.advance(10)
    assert ("Swaps", "FAILED") == (pipeline.name, pipeline.worker.phase)
    assert "    1: SqlState(E42703)\n" == pipeline.logs_document()["pods"][0]["logs"]
    world.advance(10)

    assert ({}, {}) == (world.pipelines, feldera.pipelines)
    assert [
        f"scenario: log at 6.0 s left out: {pipeline.worker.uid} is RUNNING and has no pod 7, only 2",
        "scenario: pause at 41.0 s left out: there is no pipeline 'Swaps': create it first",
    ] == caplog.messages


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("{vendor: fivetran, pipeline: p, do: create}", "`vendor` is 'fivetran'; use one of feldera, apify, goldrush"),
        (
            "{vendor: goldrush, pipeline: p, do: start}",
            "`do` is 'start', which is no operation; did you mean `restart`?",
        ),
        ("{vendor: goldrush, pipeline: '', do: create}", "`pipeline` is ''; give a name"),
        ("{vendor: goldrush, pipeline: p, do: create, phase: UP}", "`phase` is 'UP'; use one of DEPLOYING, RUNNING, "),
        ("{vendor: goldrush, pipeline: p, do: status}", "status needs `phase`"),
        ("{vendor: goldrush, pipeline: p, do: print, lines_per_second: 1, torn: 1}", "`torn` is 1, which is of the wr"),
        ("{vendor: goldrush, pipeline: p, do: skip, count: true}", "`count` is True, which is of the wrong type"),
    ],
)
def test_bad_steps_are_refused(tmp_path: Path, step: str, error: str) -> None:
    """A step is checked against the words of its vendor."""
    with pytest.raises(ScenarioError, match=re.escape(error)):
        load_scenario(_write(tmp_path, f"- {step.replace('{', '{at: 0, ')}"))


async def test_the_program_plays_the_story(tmp_path: Path) -> None:
    """A scenario with such steps is served at the vendor's paths."""
    story = _write(tmp_path, "- {at: 0, vendor: goldrush, pipeline: Base swaps, do: create}")
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    options = SimulatorOptions(listen="127.0.0.1:0", scenario=story)
    program = asyncio.create_task(run_simulator(options, ready=ready.set_result, stop=stop))
    names: list[str] = []
    async with aiohttp.ClientSession() as session:
        url = f"{await ready}/platform/pipeline-api/"
        while not names:
            async with session.get(url) as response:
                names = [item["name"] for item in (await response.json())["data"]["items"]]
    stop.set()
    await program

    assert ["Base swaps"] == names


def test_documented() -> None:
    """Every operation and its keys stand in the documentation's table of GoldRush, which names no others."""
    table = _DOCUMENT.read_text(encoding="utf-8").partition("### GoldRush")[2].partition("| `do` |")[2]
    rows = [row.split("|") for row in table.split("\n\n")[0].splitlines() if row.startswith("| `")]
    documented = {do: set(re.findall(r"`(\w+)`", row[2])) for row in rows for do in re.findall(r"`(\w+)`", row[1])}

    assert {do: set(keys) for do, keys in GOLDRUSH_WORDS.keys.items()} == documented
