"""Scripted scenarios from a YAML or JSON file.

The file is a list of steps, each a mapping:

    - {at: 0, pipeline: orders, do: create}               # compiled as `ok` unless `compile:` says otherwise
    - {at: 8, pipeline: orders, do: start}
    - {at: 30, pipeline: orders, do: crash, message: "out of memory"}
    - {at: 40, pipeline: orders, do: event, words: {runtime: Dreaming}}
    - {at: 50, do: service_down, service: runner}

`at` is in seconds from the start, divided by the speed; steps need not be in order. `pipeline` is the name at that
moment. `do` is one of:

- `create` (`compile`: ok, sql_error, rust_error, system_error, killed, none; `description`)
- `compile` (`as`: the same words but none), `edit`, `rename` (`to`), `delete`, `recreate`, `describe` (`description`)
- `start`, `start_paused`, `pause`, `resume`, `stop`, `crash` (`message`), `dismiss`, `clear_storage`
- `heartbeat`, `details` (`num_errors`), `flap` (`times`)
- `event`: any event at all, written as it is (`words`: fields of `history.State` and `has_error`;
  `age_seconds`: recorded that long ago; `appears_in_seconds`: visible only then)
- `log` (`text`): let the process print that
- `end_logs` (`as`: gone, clean, cut, reset, killed): end the open streams of its log
- `service_down`, `service_up` (`service`: api, compiler, runner): without `pipeline`; in the health only
- `runner_restart`: without `pipeline`; every log is lost

A step with `vendor: apify` or `vendor: goldrush` is of another world; what it may do stands in `apify/scenario.py` and
`goldrush_scenario.py`.

A step that the pipeline's state does not allow is logged and left out; a bad file is refused as a whole.
"""

from __future__ import annotations

import logging
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any

import yaml

from exporter.simulator.apify.scenario import APIFY_WORDS, ApifyStory
from exporter.simulator.cluster import SERVICES
from exporter.simulator.errors import runner_check_error
from exporter.simulator.goldrush_scenario import GOLDRUSH_WORDS, run_goldrush_step
from exporter.simulator.history import State
from exporter.simulator.log_follower import End
from exporter.simulator.pipeline import COMPILE_OUTCOMES, ImpossibleError, Pipeline
from exporter.simulator.scenario_words import Step, Words
from exporter.simulator.world import NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.simulator.apify.world import ApifyWorld
    from exporter.simulator.goldrush_world import GoldRushWorld
    from exporter.simulator.world import World

_log = logging.getLogger(__name__)
_NUMBER = (int, float)
_WORDS = {*State.__struct_fields__, "has_error"}


class ScenarioError(Exception):
    """A scenario file cannot be used; the message says where and why."""


def _event(
    pipeline: Pipeline, words: dict[str, Any] | None = None, age_seconds: float = 0, appears_in_seconds: float = 0
) -> None:
    recorded_us = pipeline.world.now_us - round(age_seconds * 1_000_000) if age_seconds else None
    pipeline.record_event(recorded_us=recorded_us, appears_in_seconds=float(appears_in_seconds), **(words or {}))


def _crash(pipeline: Pipeline, message: str | None = None) -> None:
    pipeline.crash(None if message is None else runner_check_error(message))


def _start_paused(pipeline: Pipeline) -> None:
    pipeline.start(paused=True)


def _compile(pipeline: Pipeline, **arguments: str) -> None:
    pipeline.compile(arguments.get("as", "ok"))


def _rename(pipeline: Pipeline, to: str) -> None:
    pipeline.rename(to)


def _end_logs(pipeline: Pipeline, **arguments: str) -> None:
    pipeline.end_streams(End[arguments.get("as", "clean").upper()])


_ON_PIPELINES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "compile": (_compile, {"as": str}),
    "edit": (Pipeline.edit, {}),
    "rename": (_rename, {"to": str}),
    "delete": (Pipeline.delete, {}),
    "recreate": (Pipeline.recreate, {}),
    "describe": (Pipeline.describe, {"description": str}),
    "start": (Pipeline.start, {}),
    "start_paused": (_start_paused, {}),
    "pause": (Pipeline.pause, {}),
    "resume": (Pipeline.resume, {}),
    "stop": (Pipeline.stop, {}),
    "crash": (_crash, {"message": str}),
    "dismiss": (Pipeline.dismiss, {}),
    "clear_storage": (Pipeline.clear_storage, {}),
    "heartbeat": (Pipeline.heartbeat, {}),
    "details": (Pipeline.change_details, {"num_errors": int}),
    "flap": (Pipeline.flap, {"times": int}),
    "log": (Pipeline.log, {"text": str}),
    "end_logs": (_end_logs, {"as": str}),
    "event": (_event, {"words": dict, "age_seconds": _NUMBER, "appears_in_seconds": _NUMBER}),
}
_KEYS: dict[str, dict[str, Any]] = {
    "create": {"compile": str, "description": str},
    "service_down": {"service": str},
    "service_up": {"service": str},
    "runner_restart": {},
    **{name: keys for name, (_, keys) in _ON_PIPELINES.items()},
}
_OF_THE_SERVER = {"service_down", "service_up", "runner_restart"}
_REQUIRED = {
    "rename": "to",
    "log": "text",
    "describe": "description",
    "service_down": "service",
    "service_up": "service",
}
_ALLOWED: dict[tuple[str, str], tuple[str, ...]] = {
    ("create", "compile"): (*COMPILE_OUTCOMES, "none"),
    ("compile", "as"): COMPILE_OUTCOMES,
    ("end_logs", "as"): tuple(end.name.lower() for end in End),
    ("service_down", "service"): SERVICES,
    ("service_up", "service"): SERVICES,
}
_VENDORS = {
    "feldera": Words(_KEYS, _REQUIRED, _ALLOWED, frozenset(_OF_THE_SERVER), NAME, "a name of letters, digits, - and _"),
    "apify": APIFY_WORDS,
    "goldrush": GOLDRUSH_WORDS,
}


def load_scenario(path: Path) -> list[Step]:
    """Read and check a scenario file. Raises `ScenarioError`."""
    try:
        steps = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: is neither YAML nor JSON: {error}") from error
    if not isinstance(steps, list) or not steps:
        raise ScenarioError(f"{path}: a scenario is a list of steps, as in [{{at: 0, pipeline: orders, do: create}}]")
    return [_check(step, f"{path}: step {number}") for number, step in enumerate(steps, start=1)]


def plan_scenario(
    world: World, steps: list[Step], *, apify: ApifyWorld | None = None, goldrush: GoldRushWorld | None = None
) -> None:
    """Plan all steps on the clocks of their worlds; those of a vendor without a world are left out."""
    story = ApifyStory()
    for step in steps:
        if step.vendor == "feldera":
            world.schedule(step.at_seconds, partial(_attempt, _run, world, step))
        elif step.vendor == "apify" and apify is not None:
            apify.schedule(step.at_seconds, partial(_attempt, story.run, apify, step))
        elif step.vendor == "goldrush" and goldrush is not None:
            goldrush.schedule(step.at_seconds, partial(_attempt, run_goldrush_step, goldrush, step))


def _attempt(run: Callable[[Any, Step], None], world: World | ApifyWorld | GoldRushWorld, step: Step) -> None:
    try:
        run(world, step)
    except ImpossibleError as error:
        _log.warning("scenario: %s at %s s left out: %s", step.do, step.at_seconds, error)


def _run(world: World, step: Step) -> None:
    if step.do == "create":
        outcome = step.arguments.get("compile", "ok")
        description = step.arguments.get("description", "")
        world.create(step.pipeline, compile_as=None if outcome == "none" else outcome, description=description)
    elif step.do in {"service_down", "service_up"}:
        change = world.cluster.fail if step.do == "service_down" else world.cluster.heal
        change(step.arguments["service"])
    elif step.do == "runner_restart":
        world.runner.restart()
    else:
        _ON_PIPELINES[step.do][0](_find(world, step.pipeline), **step.arguments)


def _find(world: World, name: str) -> Pipeline:
    pipeline = world.find(name)
    if pipeline is None:
        raise ImpossibleError(f"there is no pipeline {name!r}: create it first")
    return pipeline


def _check(step: Any, where: str) -> Step:
    if not isinstance(step, dict) or not all(isinstance(key, str) for key in step):
        raise ScenarioError(f"{where}: is {step!r}, not a mapping with `at`, `pipeline` and `do`")
    arguments = dict(step)
    vendor = arguments.pop("vendor", "feldera")
    if vendor not in _VENDORS:
        raise ScenarioError(f"{where}: `vendor` is {vendor!r}; use one of {', '.join(_VENDORS)}")
    words = _VENDORS[vendor]
    do = arguments.pop("do", None)
    if not isinstance(do, str) or do not in words.keys:
        raise ScenarioError(f"{where}: `do` is {do!r}, which is no operation{_suggest(str(do), list(words.keys))}")
    at_seconds = arguments.pop("at", None)
    if isinstance(at_seconds, bool) or not isinstance(at_seconds, _NUMBER) or not 0 <= at_seconds < float("inf"):
        raise ScenarioError(f"{where}: `at` is {at_seconds!r}; give seconds from the start, 0 or more")
    name = arguments.pop("pipeline", "")
    if do in words.of_the_server:
        if name:
            raise ScenarioError(f"{where}: {do} concerns the server; take `pipeline` away")
    elif not isinstance(name, str) or words.name.fullmatch(name) is None:
        raise ScenarioError(f"{where}: `pipeline` is {name!r}; give {words.name_rule}")
    _check_arguments(words, do, arguments, where)
    return Step(float(at_seconds), do, name, arguments, vendor)


def _check_arguments(words: Words, do: str, arguments: dict[str, Any], where: str) -> None:
    known = words.keys[do]
    for key, value in arguments.items():
        if key not in known:
            raise ScenarioError(f"{where}: {do} has no key `{key}`{_suggest(key, list(known))}")
        if isinstance(value, bool) != (known[key] is bool) or not isinstance(value, known[key]):
            raise ScenarioError(f"{where}: `{key}` is {value!r}, which is of the wrong type")
        allowed = words.allowed.get((do, key), (value,))
        if value not in allowed:
            raise ScenarioError(f"{where}: `{key}` is {value!r}; use one of {', '.join(allowed)}")
    required = words.required.get(do)
    if required is not None and required not in arguments:
        raise ScenarioError(f"{where}: {do} needs `{required}`")
    for word in arguments.get("words", {}):
        if word not in _WORDS:
            raise ScenarioError(f"{where}: events have no word `{word}`{_suggest(str(word), sorted(_WORDS))}")


def _suggest(word: str, known: list[str]) -> str:
    close = get_close_matches(word, known, n=1)
    if close:
        return f"; did you mean `{close[0]}`?"
    return f"; use one of {', '.join(known)}" if known else ""
