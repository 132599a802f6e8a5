"""Scripted Actors, and the simulator as a program."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from exporter.simulator import (
    ApifyWorld,
    ScenarioError,
    SimulatorOptions,
    World,
    load_scenario,
    plan_scenario,
    run_simulator,
)
from exporter.simulator.apify.scenario import APIFY_WORDS

_DOCUMENT = Path(__file__).parents[3] / "docs" / "simulator.md"
_STORY = """
- {at: 0, vendor: apify, pipeline: shop, do: create}
- {at: 0, vendor: apify, pipeline: other/store, do: create}
- {at: 1, vendor: apify, pipeline: shop, do: build, job: b}
- {at: 2, vendor: apify, pipeline: shop, do: finish, job: b, compute_units: 1, usd: 0.5}
- {at: 3, vendor: apify, pipeline: shop, do: run, job: r, ready: true, unlisted_seconds: 4}
- {at: 4, vendor: apify, pipeline: shop, do: status, status: DREAMING}
- {at: 5, vendor: apify, pipeline: shop, do: log, text: one}
- {at: 5, vendor: apify, pipeline: shop, do: log, text: late, late_seconds: 10}
- {at: 6, vendor: apify, pipeline: shop, do: end_logs, as: cut}
- {at: 7, vendor: apify, pipeline: shop, do: finish, status: FAILED, exit_code: 7}
- {at: 8, vendor: apify, pipeline: shop, do: rename, to: market}
- {at: 9, vendor: apify, pipeline: market, do: resurrect, job: r}
- {at: 10, vendor: apify, pipeline: market, do: time_out, seconds: 5}
- {at: 20, vendor: apify, pipeline: other/store, do: run}
- {at: 21, vendor: apify, pipeline: other/store, do: abort}
- {at: 22, vendor: apify, pipeline: other/store, do: delete_job}
- {at: 23, vendor: apify, pipeline: other/store, do: delete}
- {at: 24, vendor: apify, pipeline: other/store, do: run}
- {at: 25, vendor: apify, pipeline: market, do: log, text: x, job: y}
"""


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return path


def test_a_story_happens_as_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every step happens at its time in Apify's world; one that cannot is logged and left out."""
    feldera, world = World(), ApifyWorld()
    plan_scenario(feldera, load_scenario(_write(tmp_path, _STORY)), apify=world)
    world.advance(4.5)
    (run,) = world.jobs("run")
    (build,) = world.jobs("build")
    assert ("SUCCEEDED", "DREAMING", build, False) == (build.status, run.status, run.build, run.listed)
    world.advance(3)
    assert (True, "FAILED", 7, 0) == (run.listed, run.status, run.exit_code, run.log_text.text().count(b"late"))
    world.advance(5)
    assert ("market", "TIMING-OUT", 1) == (run.actor.name, run.status, run.resurrections)
    world.advance(20)

    assert ("TIMED-OUT", 1, 1) == (run.status, run.log_text.text().count(b"late"), len(world.jobs("run")))
    assert (1.0, 0.5) == (build.usage.compute_units, build.usage.usd)
    assert ["janedoe/market"] == [actor.full_name for actor in world.actors.values()]
    assert [
        "scenario: run at 24.0 s left out: there is no Actor 'other/store': create it first",
        "scenario: log at 25.0 s left out: there is no job called 'y': start one first",
    ] == caplog.messages


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("{pipeline: p, do: start}", "`do` is 'start', which is no operation; did you mean `status`?"),
        ("{pipeline: a/b/c, do: create}", "`pipeline` is 'a/b/c'; give the name of an Actor"),
        ("{pipeline: p, do: end_logs, as: killed}", "`as` is 'killed'; use one of clean, cut, reset"),
        ("{pipeline: p, do: log}", "log needs `text`"),
        ("{pipeline: p, do: run, ready: 1}", "`ready` is 1, which is of the wrong type"),
    ],
)
def test_bad_steps_are_refused(tmp_path: Path, step: str, error: str) -> None:
    """A step is checked against the words of its vendor."""
    with pytest.raises(ScenarioError, match=re.escape(error)):
        load_scenario(_write(tmp_path, f"- {step.replace('{', '{at: 0, vendor: apify, ')}"))


async def _names(options: SimulatorOptions, count: int) -> list[str]:
    """Return the Actors that the program serves, once there are so many."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    program = asyncio.create_task(run_simulator(options, ready=ready.set_result, stop=stop))
    names: list[str] = []
    async with aiohttp.ClientSession() as session:
        url = f"{await ready}/v2/actors"
        while len(names) < count:
            async with session.get(url) as response:
                names = [item["name"] for item in (await response.json())["data"]["items"]]
    stop.set()
    await program
    return names


async def test_the_program_plays_the_story(tmp_path: Path) -> None:
    """A scenario with such steps is served at the vendor's paths, and nothing else is there."""
    story = _write(tmp_path, "- {at: 0, vendor: apify, pipeline: shop, do: create}")
    options = SimulatorOptions(listen="127.0.0.1:0", scenario=story, apify=3)

    assert ["shop"] == await _names(options, 1)


async def test_the_program_serves_actors_that_live_by_chance() -> None:
    """There are as many Actors as asked for."""
    options = SimulatorOptions(listen="127.0.0.1:0", feldera=0, apify=3)

    assert ["website-content-crawler", "price-monitor", "news-feed"] == await _names(options, 3)


def test_documented() -> None:
    """Every operation and its keys stand in the documentation's table of Apify, which names no others."""
    table = _DOCUMENT.read_text(encoding="utf-8").partition("### Apify")[2].partition("| `do` |")[2]
    rows = [row.split("|") for row in table.split("\n\n")[0].splitlines() if row.startswith("| `")]
    documented = {do: set(re.findall(r"`(\w+)`", row[2])) for row in rows for do in re.findall(r"`(\w+)`", row[1])}

    assert {do: set(keys) for do, keys in APIFY_WORDS.keys.items()} == documented


def test_documented_example(tmp_path: Path) -> None:
    """The scenario of the documentation is a good one."""
    example = (
        _DOCUMENT.read_text(encoding="utf-8").partition("### Apify")[2].partition("```yaml\n")[2].partition("```")[0]
    )

    assert ["create", "run", "log", "finish", "resurrect"] == [
        step.do for step in load_scenario(_write(tmp_path, example))
    ]
