"""Steps of a scenario with `vendor: goldrush`.

- `create` (`phase`: at once in that phase, without it it is deployed; `replicas`, `destination`), `delete`, `rename` (`to`)
- `pause`, `resume`, `stop`, `fail` (`cause`: sql, write)
- `status` (`phase`, also a word that the vendor does not have; `replicas`, `ready`)
- `restart` (`down_seconds`), `replace_pod` (`pod`: its number from 0; `down_seconds`, `linger_seconds`)
- `records` (`per_second`), `skip` (`count`), `health` (`error`; healthy without it)
- `log` (`text`, `pod`), `print` (`lines_per_second`, `torn`), `window` (`lines`, `size_bytes`)
- `fail_log_fetch` (`count`, `text`, `pod`; every pod without it)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.goldrush_pipeline import CAUSES, GoldRushPipeline
from exporter.simulator.goldrush_pod import Window
from exporter.simulator.goldrush_worker import PHASES
from exporter.simulator.pipeline import ImpossibleError
from exporter.simulator.scenario_words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.goldrush_world import GoldRushWorld
    from exporter.simulator.scenario_words import Step

_NUMBER = (int, float)


def _stop(pipeline: GoldRushPipeline) -> None:
    pipeline.worker.stop()


def _status(pipeline: GoldRushPipeline, **arguments: Any) -> None:
    pipeline.worker.set_status(**arguments)


def _restart(pipeline: GoldRushPipeline, **arguments: Any) -> None:
    pipeline.worker.restart(**arguments)


def _replace_pod(pipeline: GoldRushPipeline, pod: int = 0, **arguments: Any) -> None:
    pipeline.worker.replace_pod(pod, **arguments)


def _records(pipeline: GoldRushPipeline, per_second: float) -> None:
    pipeline.worker.count()
    pipeline.worker.metrics.records_per_second = per_second


def _skip(pipeline: GoldRushPipeline, count: int) -> None:
    pipeline.skip_records(count)


def _health(pipeline: GoldRushPipeline, error: str | None = None) -> None:
    pipeline.last_error = error


def _log(pipeline: GoldRushPipeline, text: str, pod: int = 0) -> None:
    pipeline.worker.write(text.encode(), pod)


def _print(pipeline: GoldRushPipeline, lines_per_second: float, *, torn: bool = False) -> None:
    pipeline.worker.write_at(lines_per_second, torn=torn)


def _window(pipeline: GoldRushPipeline, lines: int | None = None, size_bytes: int | None = None) -> None:
    pipeline.window = Window(lines, size_bytes)


def _fail_log_fetch(pipeline: GoldRushPipeline, **arguments: Any) -> None:
    pipeline.worker.fail_next_log_fetch(**arguments)


_ON_PIPELINES: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "rename": (GoldRushPipeline.rename, {"to": str}),
    "pause": (GoldRushPipeline.pause, {}),
    "resume": (GoldRushPipeline.resume, {}),
    "stop": (_stop, {}),
    "fail": (GoldRushPipeline.fail, {"cause": str}),
    "status": (_status, {"phase": str, "replicas": int, "ready": int}),
    "restart": (_restart, {"down_seconds": _NUMBER}),
    "replace_pod": (_replace_pod, {"pod": int, "down_seconds": _NUMBER, "linger_seconds": _NUMBER}),
    "records": (_records, {"per_second": _NUMBER}),
    "skip": (_skip, {"count": int}),
    "health": (_health, {"error": str}),
    "log": (_log, {"text": str, "pod": int}),
    "print": (_print, {"lines_per_second": _NUMBER, "torn": bool}),
    "window": (_window, {"lines": int, "size_bytes": int}),
    "fail_log_fetch": (_fail_log_fetch, {"count": int, "text": str, "pod": int}),
}
GOLDRUSH_WORDS = Words(
    keys={
        "create": {"phase": str, "replicas": int, "destination": str},
        "delete": {},
        **{name: keys for name, (_, keys) in _ON_PIPELINES.items()},
    },
    required={
        "rename": "to",
        "status": "phase",
        "records": "per_second",
        "skip": "count",
        "log": "text",
        "print": "lines_per_second",
    },
    allowed={("create", "phase"): PHASES, ("fail", "cause"): tuple(CAUSES)},
)


def run_goldrush_step(world: GoldRushWorld, step: Step) -> None:
    """Do one step. Raises `ImpossibleError` where there is no such pipeline or pod."""
    if step.do == "create":
        world.create(step.pipeline, **step.arguments)
        return
    pipeline = world.find(step.pipeline)
    if pipeline is None:
        raise ImpossibleError(f"there is no pipeline {step.pipeline!r}: create it first")
    if step.do == "delete":
        world.delete(pipeline)
    else:
        _ON_PIPELINES[step.do][0](pipeline, **step.arguments)
