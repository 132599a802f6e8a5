"""Steps of a scenario with `vendor: apify`; `pipeline` is an Actor, as `name` or `username/name`.

- `create`, `delete`, `rename` (`to`): the Actor; its jobs stay
- `build`, `run`: start one (`job`: how later steps call it; `ready`: not RUNNING yet; `unseen_seconds`,
  `unlisted_seconds`: for so long its path and lists do not know it)

What follows concerns the newest job of the Actor, or the one called `job`:

- `status` (`status`: any word that is no end), `finish` (`status`, `exit_code`, `compute_units`, `usd`)
- `abort`, `time_out` (`seconds`: how long that takes), `resurrect`, `delete_job`
- `log` (`text`; `late_seconds`: it shows only then), `end_logs` (`as`: clean, cut, reset)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.simulator.apify.job import Job
from exporter.simulator.log_follower import End
from exporter.simulator.pipeline import ImpossibleError
from exporter.simulator.scenario_words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.apify.world import Actor, ApifyWorld
    from exporter.simulator.scenario_words import Step

_NUMBER = (int, float)
_NEW = {"job": str, "ready": bool, "unseen_seconds": _NUMBER, "unlisted_seconds": _NUMBER}


def _log(job: Job, text: str, late_seconds: float = 0) -> None:
    if late_seconds:
        job.log_late(text, late_seconds)
    else:
        job.log(text)


def _end_logs(job: Job, **arguments: str) -> None:
    job.end_streams(End[arguments.get("as", "clean").upper()])


_ON_JOBS: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "status": (Job.become, {"status": str}),
    "finish": (Job.finish, {"status": str, "exit_code": int, "compute_units": _NUMBER, "usd": _NUMBER}),
    "abort": (Job.abort, {"seconds": _NUMBER}),
    "time_out": (Job.time_out, {"seconds": _NUMBER}),
    "resurrect": (Job.resurrect, {}),
    "delete_job": (Job.delete, {}),
    "log": (_log, {"text": str, "late_seconds": _NUMBER}),
    "end_logs": (_end_logs, {"as": str}),
}
APIFY_WORDS = Words(
    keys={
        "create": {},
        "delete": {},
        "rename": {"to": str},
        "build": _NEW,
        "run": _NEW,
        **{name: {"job": str, **keys} for name, (_, keys) in _ON_JOBS.items()},
    },
    required={"rename": "to", "status": "status", "log": "text"},
    allowed={("end_logs", "as"): ("clean", "cut", "reset")},
    name=re.compile(r"([\w.-]+/)?[\w.-]+"),
    name_rule="the name of an Actor, as in my-actor or janedoe/my-actor",
)


class ApifyStory:
    """Does the steps of one scenario, and remembers what it calls its jobs."""

    def __init__(self) -> None:
        self._named: dict[str, Job] = {}
        self._newest: dict[str, Job] = {}

    def run(self, world: ApifyWorld, step: Step) -> None:
        """Do one step. Raises `ImpossibleError` where there is no such Actor or job, or its state does not allow it."""
        username, slash, name = step.pipeline.rpartition("/")
        if step.do == "create":
            world.add_actor(name, username=username or None)
            return
        actor = world.find_actor(step.pipeline if slash else f"{world.account.username}/{name}")
        if actor is None:
            raise ImpossibleError(f"there is no Actor {step.pipeline!r}: create it first")
        if step.do == "delete":
            actor.delete()
        elif step.do == "rename":
            actor.rename(step.arguments["to"])
        elif step.do in {"build", "run"}:
            self._start(actor, step)
        else:
            arguments = dict(step.arguments)
            _ON_JOBS[step.do][0](self._find(actor, arguments.pop("job", None)), **arguments)

    def _start(self, actor: Actor, step: Step) -> None:
        arguments = dict(step.arguments)
        name = arguments.pop("job", None)
        job = (actor.start_build if step.do == "build" else actor.start_run)(**arguments)
        self._newest[actor.id] = job
        if name is not None:
            self._named[name] = job

    def _find(self, actor: Actor, name: str | None) -> Job:
        job = self._newest.get(actor.id) if name is None else self._named.get(name)
        if job is None or job.deleted:
            what = f"no job of {actor.full_name}" if name is None else f"no job called {name!r}"
            raise ImpossibleError(f"there is {what}: start one first")
        return job
