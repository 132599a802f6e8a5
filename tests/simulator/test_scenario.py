"""Scripted scenarios and the simulator as a program."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from exporter.simulator import End, ScenarioError, SimulatorOptions, World, load_scenario, plan_scenario, run_simulator
from exporter.simulator.scenario import _ALLOWED, _KEYS, _WORDS

_DOCUMENT = Path(__file__).parents[2] / "docs" / "simulator.md"
_STORY = """
- {at: 0, pipeline: orders, do: create}
- {at: 10, pipeline: orders, do: start}
- {at: 20, pipeline: orders, do: event, words: {runtime: Dreaming}}
- {at: 30, pipeline: orders, do: crash, message: out of memory}
- {at: 40, pipeline: orders, do: rename, to: sales}
- {at: 41, pipeline: orders, do: start}
- {at: 50, do: service_down, service: runner}
"""


def _write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    return path


def test_a_story_happens_as_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every step happens at its time; one that cannot is logged and left out."""
    world = World()
    plan_scenario(world, load_scenario(_write(tmp_path, _STORY)))
    world.advance(25)
    orders = world.find("orders")
    assert orders is not None
    assert "Dreaming" == orders.state.runtime
    world.advance(30)

    assert world.find("sales") is orders
    assert "Pipeline process" not in str(orders.state.error)
    assert {"error": "out of memory"} == orders.state.error["details"]
    assert not all(world.cluster.events[-1].healthy)
    assert ["scenario: start at 41.0 s left out: there is no pipeline 'orders': create it first"] == caplog.messages


def test_logs_are_scripted(tmp_path: Path) -> None:
    """A story prints lines, ends streams and restarts the runner."""
    story = """
    - {at: 0, pipeline: p, do: create, compile: none}
    - {at: 1, pipeline: p, do: log, text: "one\\ntwo"}
    - {at: 2, pipeline: p, do: end_logs, as: cut}
    - {at: 3, do: runner_restart}
    """
    world = World()
    plan_scenario(world, load_scenario(_write(tmp_path, story)))
    world.advance(1)
    pipeline = world.find("p")
    assert pipeline is not None
    follower, epoch = pipeline.logs.follow(), pipeline.logs.epoch
    world.advance(1)

    assert [b"one", b"two"] == follower.take()[1:]
    assert End.CUT is follower.end
    world.advance(1)
    assert epoch != pipeline.logs.epoch


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "a scenario is a list of steps, as in [{at: 0, pipeline: orders, do: create}]"),
        ("{a: 1}", "a scenario is a list of steps, as in [{at: 0, pipeline: orders, do: create}]"),
        ("- [", "is neither YAML nor JSON: "),
        ("- 3", "step 1: is 3, not a mapping with `at`, `pipeline` and `do`"),
        ("- {at: 0, pipeline: p, do: crate}", "step 1: `do` is 'crate', which is no operation; did you mean `create`?"),
        (
            "- {at: 0, pipeline: p, do: end_logs, as: boom}",
            "step 1: `as` is 'boom'; use one of gone, clean, cut, reset, killed",
        ),
        ("- {at: 0, pipeline: p, do: runner_restart}", "step 1: runner_restart concerns the server; take `pipeline`"),
        ("- {at: -1, pipeline: p, do: start}", "step 1: `at` is -1; give seconds from the start, 0 or more"),
        (
            "- {at: 0, pipeline: 'a b', do: start}",
            "step 1: `pipeline` is 'a b'; give a name of letters, digits, - and _",
        ),
        ("- {at: 0, pipeline: p, do: rename}", "step 1: rename needs `to`"),
        ("- {at: 0, pipeline: p, do: crash, mesage: x}", "crash has no key `mesage`; did you mean `message`?"),
        ("- {at: 0, pipeline: p, do: flap, times: lots}", "step 1: `times` is 'lots', which is of the wrong type"),
        ("- {at: 0, pipeline: p, do: compile, as: bad}", "step 1: `as` is 'bad'; use one of ok, sql_error, "),
        (
            "- {at: 0, pipeline: p, do: event, words: {rntime: x}}",
            "events have no word `rntime`; did you mean `runtime`?",
        ),
        ("- {at: 0, do: service_down, service: disk}", "step 1: `service` is 'disk'; use one of api, compiler, runner"),
    ],
)
def test_bad_scenarios_are_refused(tmp_path: Path, text: str, error: str) -> None:
    """A bad file is refused with its name, the step, the value and what to do."""
    path = _write(tmp_path, text)

    with pytest.raises(ScenarioError) as caught:
        load_scenario(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert error in str(caught.value)


def test_a_missing_scenario_is_refused(tmp_path: Path) -> None:
    """A file that is not there is a clear error."""
    with pytest.raises(ScenarioError, match=r"none\.yaml: cannot be read: No such file or directory"):
        load_scenario(tmp_path / "none.yaml")


async def test_the_program_serves_until_it_is_stopped() -> None:
    """It says where it listens, answers there, and ends when told."""
    stop = asyncio.Event()
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(
        run_simulator(SimulatorOptions(listen="127.0.0.1:0", feldera=3), ready=listening.set_result, stop=stop)
    )
    url = await listening
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v0/pipelines") as response:
        listed = await response.json()
    stop.set()
    await running

    assert 3 == len(listed)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (SimulatorOptions(listen="nowhere"), "'nowhere' is no address"),
        (SimulatorOptions(listen="127.0.0.1:0", speed=0), "the speed is 0"),
        (SimulatorOptions(listen="127.0.0.1:0", feldera=-1), "the number of pipelines is -1"),
    ],
)
async def test_bad_options_are_refused(options: SimulatorOptions, error: str) -> None:
    """A value that cannot be used is named."""
    with pytest.raises(ValueError, match=error):
        await run_simulator(options, ready=print, stop=asyncio.Event())


def test_documented() -> None:
    """Every operation, its keys and words stand in the documentation, which names no others."""
    document = _DOCUMENT.read_text(encoding="utf-8").partition("| `do` |")[2]
    rows = [row.split("|") for row in document.partition("\nThe `words`")[0].splitlines() if row.startswith("| `")]
    documented = {do: set(re.findall(r"`(\w+)`", row[2])) for row in rows for do in re.findall(r"`(\w+)`", row[1])}
    allowed = {word for words in _ALLOWED.values() for word in words}
    assert {do: set(keys) for do, keys in _KEYS.items()} == {
        do: keys - {"api", "compiler", "runner"} for do, keys in documented.items()
    }
    assert set() == {*allowed, *_WORDS} - set(re.findall(r"`(\w+)`", document))


def test_documented_example(tmp_path: Path) -> None:
    """The scenario of the documentation is a good one."""
    example = _DOCUMENT.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    assert 5 == len(load_scenario(_write(tmp_path, example)))
