"""The world that a simulated Apify shows: Actors, their builds and runs, one account. Pure: no I/O, no real time."""

from __future__ import annotations

from random import Random

from exporter.simulator.apify.account import Account
from exporter.simulator.apify.api import ApifyApi
from exporter.simulator.apify.identifiers import new_id
from exporter.simulator.apify.job import Job
from exporter.simulator.apify.jobs import Jobs
from exporter.simulator.apify.log import LIMIT_BYTES
from exporter.simulator.clock import Clock
from exporter.simulator.log_follower import End
from exporter.simulator.pipeline import ImpossibleError


class Actor:
    """One Actor. It is the user's own where its `username` is the user's."""

    def __init__(self, world: ApifyWorld, username: str, name: str) -> None:
        self.world = world
        self.id = new_id(world.random)
        self.username = username
        self.name = name
        self.created_us = self.modified_us = world.now_us
        self.total_builds = 0
        self.total_runs = 0
        self.last_run_us: int | None = None
        self.last_build: Job | None = None

    @property
    def full_name(self) -> str:
        """`username/name`."""
        return f"{self.username}/{self.name}"

    def rename(self, name: str) -> None:
        """Give it another name; the id stays."""
        if self.world.find_actor(f"{self.username}~{name}") is not None:
            raise ImpossibleError(f"there is an Actor {self.username}/{name} already")
        self.name = name
        self.modified_us = self.world.now_us

    def start_build(self, *, ready: bool = False, unseen_seconds: float = 0, unlisted_seconds: float = 0) -> Job:
        """Start a build. It may be unknown at its own path, and missing in lists, for the first seconds."""
        self.total_builds += 1
        number = f"0.0.{self.total_builds}"
        job = self._start("build", number, None, "WEB", ready=ready)
        self.last_build = job
        return self.world.admit(job, unseen_seconds, unlisted_seconds)

    def start_run(
        self,
        *,
        ready: bool = False,
        build: Job | None = None,
        origin: str = "API",
        unseen_seconds: float = 0,
        unlisted_seconds: float = 0,
    ) -> Job:
        """Start a run, READY or RUNNING at once; of the newest build where none is given."""
        self.total_runs += 1
        build = build or self.last_build
        number = "0.0.1" if build is None else build.number
        job = self._start("run", number, build, origin, ready=ready)
        self.last_run_us = job.started_us
        return self.world.admit(job, unseen_seconds, unlisted_seconds)

    def delete(self) -> None:
        """Delete it; its runs stay."""
        del self.world.actors[self.id]

    def _start(self, kind: str, number: str, build: Job | None, origin: str, *, ready: bool) -> Job:
        status = "READY" if ready else "RUNNING"
        return Job(self.world, self, kind=kind, status=status, number=number, build=build, origin=origin)


class ApifyWorld(Clock):
    """All that one user of Apify sees. Nothing happens by itself."""

    def __init__(
        self,
        *,
        now_us: int | None = None,
        seed: int = 0,
        speed: float = 1.0,
        username: str = "janedoe",
        sparse: float = 0.0,
        log_limit_bytes: int = LIMIT_BYTES,
        cut_in_lines: bool = False,
        rate_limit: int | None = None,
    ) -> None:
        super().__init__(now_us=now_us, speed=speed)
        # Ids are never given twice, so that a simulator which starts again has no job that another one had.
        self.random = Random(f"apify {seed} {self.now_us}")
        self.sparse = sparse
        """The part of all jobs whose list items lack what is optional."""
        self.log_limit_bytes = log_limit_bytes
        self.cut_in_lines = cut_in_lines
        """Whether the head of a log is cut anywhere, also inside a character, or between lines."""
        self.rate_limit = rate_limit
        """How many requests a resource takes within a second of this clock; None is no limit."""
        self.retry_after_seconds: int | None = None
        """Sent along when the limit is reached."""
        self.anyone_with_id = False
        """Whether the id of a job alone is enough to read it."""
        self.settling_seconds = 10.0
        self.preliminary = 0.6
        """The part of the figures of a job that is shown until they are settled; more than 1 is possible."""
        self.actors: dict[str, Actor] = {}
        self.account = Account(self, username)
        self._jobs = {"run": Jobs(), "build": Jobs()}
        self._cuts: list[tuple[int, End]] = []

    def add_actor(self, name: str, *, username: str | None = None) -> Actor:
        """Make an Actor; one of another username is an Actor that the user runs and does not own."""
        username = username or self.account.username
        if self.find_actor(f"{username}~{name}") is not None:
            raise ImpossibleError(f"there is an Actor {username}/{name} already")
        actor = Actor(self, username, name)
        self.actors[actor.id] = actor
        return actor

    def find_actor(self, wanted: str) -> Actor | None:
        """Return the Actor of an id or of a `username~name`."""
        if wanted in self.actors:
            return self.actors[wanted]
        full_name = wanted.replace("~", "/", 1)
        return next((actor for actor in self.actors.values() if actor.full_name == full_name), None)

    def jobs(self, kind: str) -> Jobs:
        """Return all jobs of a kind, `run` or `build`."""
        return self._jobs[kind]

    def find_job(self, job_id: str) -> Job | None:
        """Return a run or a build."""
        return self._jobs["run"].find(job_id) or self._jobs["build"].find(job_id)

    def admit(self, job: Job, unseen_seconds: float, unlisted_seconds: float) -> Job:
        """Take a new job in, known to its path and to lists after some seconds."""
        self._jobs[job.kind].add(job)
        for name, seconds in (("seen", unseen_seconds), ("listed", unlisted_seconds)):
            if seconds:
                setattr(job, name, False)
                self.schedule(seconds, lambda name=name: setattr(job, name, True))  # type: ignore[misc]
        return job

    def cut_next(self, count: int, after_bytes: int, end: End = End.CLEAN) -> None:
        """Let the next so many streams end after so many bytes of their replay, or after all of it."""
        self._cuts += [(after_bytes, end)] * count

    def next_cut(self) -> tuple[int, End] | None:
        """Return how the stream that opens now ends before its time, where it does."""
        return self._cuts.pop(0) if self._cuts else None

    def end_streams(self, end: End) -> None:
        """End every open stream."""
        for kind in self._jobs.values():
            for job in kind:
                job.end_streams(end)

    def api(self, api_key: str | None) -> ApifyApi:
        """Return the API over this world."""
        return ApifyApi(self, api_key=api_key)
