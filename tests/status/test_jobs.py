"""Every end of a job is counted once, whatever the looks show and however often the ledger starts again."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.status import jobs as jobs_module
from exporter.status.jobs import DATE_SECONDS, SETTLE_SECONDS, End, Jobs, Marks, Settled
from exporter.status.model import Ending, Job, JobSeen

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

NS = 1_000_000_000
RESULTS = {"SUCCEEDED": "success", "FAILED": "failure"}
START = 1_000
"""When the first look is made, by the vendor's clock, in seconds."""


def seen(
    status: str,
    finished: float = 0.0,
    *,
    job: str = "r1",
    started: float = START,
    units: float | None = None,
    cost: float | None = None,
    pipeline: str = "p1",
) -> JobSeen:
    """Make what a look shows of a run; moments are in seconds of the vendor's clock."""
    return JobSeen(
        kind="run",
        id=job,
        pipeline_id=pipeline,
        status=status,
        result=RESULTS.get(status, status.lower() if finished else ""),
        started_ns=int(started * NS),
        finished_ns=int(finished * NS),
        compute_units=units,
        cost_usd=cost,
    )


class Ledger:
    """A ledger that can start again from what the journal would have."""

    def __init__(self, *first: JobSeen) -> None:
        self.jobs = Jobs()
        self.now = 0.0
        self.rows: dict[str, bytes] = {}
        self.first = self.look(seen("SUCCEEDED", START, job="old", started=START - 10), *first, first=True)

    def look(self, *seen: JobSeen, first: bool = False, shown: Sequence[str] = ("p1", "p2")) -> list[End]:
        """Take in a look, 15 seconds after the one before, and write it."""
        self.now += 15
        ends = self.jobs.look(seen, first=first, at_seconds=self.now, reads_logs=True, shown=shown)
        self.write()
        return ends

    def results(self, *shown: JobSeen) -> list[str]:
        """Take in a look and return the results of the ends that count."""
        return [end.result for end in self.look(*shown) if end.counts]

    def write(self) -> None:
        """Write what differs, as the journal does."""
        self.rows |= {key: msgspec.msgpack.encode(self.jobs.by_key[key]) for key in self.jobs.dirty}
        for key in self.jobs.forgotten:
            self.rows.pop(key, None)
        self.marks = msgspec.msgpack.encode(self.jobs.marks)
        self.jobs.written(list(self.jobs.dirty), list(self.jobs.forgotten))

    def restart(self) -> None:
        """Start again from what was written."""
        self.jobs = Jobs()
        rows = [msgspec.msgpack.decode(row, type=Job) for row in self.rows.values()]
        self.jobs.restore(rows, msgspec.msgpack.decode(self.marks, type=Marks))

    def settle(self, shown: JobSeen | None, *, after: float = SETTLE_SECONDS) -> Settled:
        """Settle the one job that is due after a while, as the vendor shows it then."""
        self.now += after
        (key,) = self.jobs.due(self.now)
        if shown is not None:
            self.jobs.look([shown], first=False, at_seconds=self.now, reads_logs=True, shown=["p1"])
        settled = self.jobs.settle(key, shown, self.now)
        self.write()
        return settled


def test_an_end_counts_once() -> None:
    """A job that ends counts once, with its result and duration, however often it is shown."""
    ledger = Ledger(seen("RUNNING"))
    assert [End("p1", "run", "success", counts=True, duration_seconds=30.0)] == ledger.look(
        seen("SUCCEEDED", START + 30)
    )
    assert [] == ledger.look(seen("SUCCEEDED", START + 30))
    ledger.restart()
    assert [] == ledger.look(seen("SUCCEEDED", START + 30))


def test_jobs_that_had_ended_before_are_not_counted() -> None:
    """What had ended at the first look counts never, and its log is not read; what ran then counts when it ends."""
    ledger = Ledger(seen("FAILED", START - 5, started=START - 50), seen("RUNNING", job="r2"))
    assert [] == ledger.first
    assert [False, True] == [ledger.jobs.by_key[key].reads_log for key in ("run:r1", "run:r2")]
    assert ["success"] == ledger.results(
        seen("FAILED", START - 5, started=START - 50), seen("SUCCEEDED", START + 9, job="r2")
    )


def test_a_job_found_late_is_judged_by_the_vendors_times() -> None:
    """A job that no look has shown counts if it ended after the newest time of the first look, and not before."""
    ledger = Ledger()
    late = [seen("FAILED", START - 1, job="before", started=START - 90), seen("SUCCEEDED", START + 1, job="after")]
    assert ["success"] == ledger.results(*late)
    assert "run:before" not in ledger.jobs.by_key


def test_a_job_that_nobody_saw_running_counts() -> None:
    """A job that began and ended between two looks, or while the exporter was down, counts, and its log is read."""
    ledger = Ledger()
    ledger.restart()
    assert ["failure"] == ledger.results(seen("FAILED", START + 900, started=START + 800))
    assert ledger.jobs.by_key["run:r1"].reads_log


def test_a_resurrected_job_counts_again() -> None:
    """A job that runs again and ends again counts again, with its new result."""
    ledger = Ledger(seen("RUNNING"))
    assert ["failure"] == ledger.results(seen("FAILED", START + 5))
    assert [] == ledger.results(seen("RUNNING"))
    assert ["run:r1"] == list(ledger.jobs.active)
    assert ["success"] == ledger.results(seen("SUCCEEDED", START + 50))
    assert 2 == ledger.jobs.by_key["run:r1"].ends


def test_a_resurrection_between_two_looks_shows_as_another_end() -> None:
    """An end with a newer time counts, although nobody saw the job run again."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    assert ["failure"] == ledger.results(seen("FAILED", START + 50))


def test_an_end_within_a_look_is_not_lost() -> None:
    """A look that shows an end and then, on another page, the job running again, counts the end."""
    ledger = Ledger(seen("RUNNING"))
    assert ["failure"] == ledger.results(seen("FAILED", START + 5), seen("RUNNING"))
    assert ["success"] == ledger.results(seen("SUCCEEDED", START + 9))


def test_an_answer_from_the_past_counts_nothing() -> None:
    """An older end, an older status, and the end once more count nothing."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    ledger.look(seen("SUCCEEDED", START + 50))
    assert [] == ledger.results(seen("FAILED", START + 5))
    assert "SUCCEEDED" == ledger.jobs.by_key["run:r1"].status
    assert [] == ledger.results(seen("RUNNING"))
    assert [] == ledger.results(seen("SUCCEEDED", START + 50))


def test_an_end_whose_time_comes_later_counts_once() -> None:
    """A terminal status without time counts at once; the time that comes later adds the duration only."""
    ledger = Ledger(seen("RUNNING"))
    assert [End("p1", "run", "success", counts=True, duration_seconds=None)] == ledger.look(seen("SUCCEEDED"))
    ledger.restart()
    assert [End("p1", "run", "success", counts=False, duration_seconds=7.0)] == ledger.look(
        seen("SUCCEEDED", START + 7)
    )
    assert [] == ledger.look(seen("SUCCEEDED", START + 7), seen("SUCCEEDED"))


def test_an_unknown_status_with_a_time_is_an_end() -> None:
    """A job that has ended with a word that nobody knows counts under that word."""
    ledger = Ledger(seen("RUNNING"))
    assert ["evicted"] == ledger.results(seen("EVICTED", START + 7))


def test_ends_wait_until_their_pipeline_is_shown() -> None:
    """Ends of a pipeline whose counters have not been seen at zero count later, also after a kill in between."""
    ledger = Ledger()
    assert [] == ledger.look(seen("FAILED", START + 3), shown=[])
    ledger.restart()
    assert ["failure"] == ledger.results()


def test_figures_are_added_when_settled() -> None:
    """What a job used is added some seconds after its end, and its end told then."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("SUCCEEDED", START + 5, units=0.1))
    assert [] == ledger.jobs.due(ledger.now + 9)
    settled = ledger.settle(seen("SUCCEEDED", START + 5, units=0.5, cost=0.25))
    ending = Ending("success", START * NS, (START + 5) * NS, resumed=False, counted=True)
    assert Settled(0.5, 0.25, [ending]) == settled
    assert [] == ledger.jobs.due(ledger.now + 1000)


def test_after_a_resurrection_only_what_came_on_top_is_added() -> None:
    """A job that was settled and ends again adds the difference, and nothing where the vendor says less."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    ledger.settle(seen("FAILED", START + 5, units=2.0, cost=1.0))
    ledger.look(seen("RUNNING"))
    ledger.restart()
    ledger.look(seen("SUCCEEDED", START + 50))
    settled = ledger.settle(seen("SUCCEEDED", START + 50, units=3.0, cost=0.5))
    assert (1.0, 0.0, [True]) == (settled.compute_units, settled.cost_usd, [end.resumed for end in settled.ends])


def test_two_ends_before_settling_are_both_told() -> None:
    """A job that ends twice before it is settled has both ends told, and its figures added once."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    ledger.look(seen("SUCCEEDED", START + 15))
    settled = ledger.settle(seen("SUCCEEDED", START + 15, units=3.0))
    assert (3.0, ["failure", "success"]) == (settled.compute_units, [end.result for end in settled.ends])


def test_a_job_that_runs_again_when_it_is_settled_adds_no_figures() -> None:
    """Preliminary figures are not added: the end is told, and all figures come with the next one."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    settled = ledger.settle(seen("RUNNING", units=1.0))
    assert (0.0, ["failure"]) == (settled.compute_units, [end.result for end in settled.ends])
    ledger.look(seen("SUCCEEDED", START + 60))
    assert 2.5 == ledger.settle(seen("SUCCEEDED", START + 60, units=2.5)).compute_units


def test_an_end_that_settling_finds_is_settled_later() -> None:
    """A job that has ended once more when it is asked for its figures is asked again, when they are final."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    assert Settled() == ledger.settle(seen("SUCCEEDED", START + 20, units=1.0))
    assert 2.0 == ledger.settle(seen("SUCCEEDED", START + 20, units=2.0)).compute_units


def test_a_deleted_job_is_settled_with_what_is_known() -> None:
    """An end whose job the vendor has deleted is told without figures."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("FAILED", START + 5))
    settled = ledger.settle(None)
    assert (0.0, 0.0, ["failure"]) == (settled.compute_units, settled.cost_usd, [end.result for end in settled.ends])


def test_an_end_without_time_is_settled_in_the_end() -> None:
    """Settling waits for the time of an end, for a minute."""
    ledger = Ledger(seen("RUNNING"))
    ledger.look(seen("SUCCEEDED"))
    assert Settled() == ledger.settle(seen("SUCCEEDED", units=1.0))
    settled = ledger.settle(seen("SUCCEEDED", units=1.0), after=DATE_SECONDS)
    assert (1.0, ["success"]) == (settled.compute_units, [end.result for end in settled.ends])


def test_what_a_job_used_before_counting_began_is_not_added() -> None:
    """A job that had ended before counting began and is resurrected adds what came on top of what it had used."""
    ledger = Ledger(seen("FAILED", START - 5, started=START - 9))
    assert ["run:r1", "run:old"] == ledger.jobs.unbased(10)
    before = seen("FAILED", START - 5, started=START - 9, units=4.0, cost=2.0)
    assert Settled() == ledger.jobs.settle("run:r1", before, ledger.now)._replace(ends=())
    assert ["run:old"] == ledger.jobs.unbased(10)
    assert ["success"] == ledger.results(seen("SUCCEEDED", START + 50, started=START - 9))
    settled = ledger.settle(seen("SUCCEEDED", START + 50, started=START - 9, units=5.0, cost=2.5))
    assert (1.0, 0.5) == (settled.compute_units, settled.cost_usd)


def test_a_resurrected_job_is_asked_for_what_it_had_used() -> None:
    """A job from before counting began that runs again is due at once; what it shows then counts as used before."""
    ledger = Ledger(seen("FAILED", START - 5, started=START - 9))
    ledger.look(seen("RUNNING", started=START - 9))
    assert 0.0 == ledger.settle(seen("RUNNING", started=START - 9, units=4.0), after=0).compute_units
    ledger.look(seen("SUCCEEDED", START + 50, started=START - 9))
    assert 1.0 == ledger.settle(seen("SUCCEEDED", START + 50, started=START - 9, units=5.0)).compute_units


def test_a_deleted_job_that_ran_is_forgotten() -> None:
    """A job that the vendor deleted while it was known to run is forgotten; one that has ended stays known."""
    ledger = Ledger(seen("RUNNING"), seen("RUNNING", job="r2"))
    ledger.look(seen("FAILED", START + 5, job="r2"))
    ledger.jobs.retire("run:r1")
    ledger.jobs.retire("run:r2")
    assert (["run:r1"], []) == (list(ledger.jobs.forgotten), list(ledger.jobs.active))
    assert "run:r2" in ledger.jobs.by_key


def test_other_pipelines_begin_to_count_later() -> None:
    """When counting begins for further pipelines, those of before count what happened in between."""
    ledger = Ledger()
    shown = [
        seen("FAILED", START + 50, job="a", started=START + 40),
        seen("FAILED", START + 60, job="b", started=START + 40, pipeline="p2"),
    ]
    ends = ledger.jobs.look(shown, first=True, at_seconds=30, reads_logs=True, shown=["p1"], old=["p1"])
    assert ["p1"] == [end.pipeline_id for end in ends]
    later = [seen("FAILED", START + 55, job=f"{one}2", started=START + 45, pipeline=one) for one in ("p1", "p2")]
    assert ["p1"] == [end.pipeline_id for end in ledger.look(*later)]


def test_the_oldest_jobs_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest jobs are kept, with those that run or are not settled; a dropped one counts no second time."""
    monkeypatch.setattr(jobs_module, "MAX_JOBS", 10)
    monkeypatch.setattr(jobs_module, "SLACK", 1)
    ledger = Ledger(seen("RUNNING", job="long"))
    ended = [seen("FAILED", START + at + 1, job=f"r{at}", started=START + at) for at in range(1, 30)]
    assert 29 == len(ledger.results(*ended))
    for key in ledger.jobs.due(ledger.now + 100):
        ledger.jobs.settle(key, None, ledger.now + 100)
    assert [] == ledger.results(*ended[-5:])
    assert ({"run:long", *(f"run:r{at}" for at in range(21, 30))}, 10) == (
        set(ledger.jobs.by_key),
        len(ledger.rows),
    )
    ledger.restart()
    assert [] == ledger.results(*ended)
    assert ["failure"] == ledger.results(seen("FAILED", START + 90, job="r1", started=START + 1))


TIMES = st.integers(1, 3)
LIVES = st.lists(
    st.lists(st.tuples(TIMES, TIMES, st.sampled_from(sorted(RESULTS))), min_size=1, max_size=4), max_size=4
)


def lives(script: list[list[tuple[int, int, str]]]) -> list[list[JobSeen]]:
    """Return by job what the vendor shows of it, one after the other: running, ended, running again, ended again."""
    shown = []
    for number, life in enumerate(script):
        at, states = START, []
        for waits, runs, result in life:
            at += waits
            states.append(seen("RUNNING", job=f"r{number}"))
            at += runs
            states.append(seen(result, at, job=f"r{number}", units=float(at - START)))
        shown.append(states)
    return shown


@settings(deadline=None)  # the machine may be busy
@given(LIVES, st.data())
def test_every_end_that_is_shown_counts_once(script: list[list[tuple[int, int, str]]], data: st.DataObject) -> None:
    """Over looks that miss states, repeat old ones, and over restarts: each end that was the newest when shown counts once."""
    states = lives(script)
    ledger = Ledger()
    counted = Counter[str]()
    expected: set[tuple[str, int]] = set()
    newest = [0] * len(states)
    added: dict[str, float] = defaultdict(float)
    for _ in range(data.draw(st.integers(0, 12))):
        shown = []
        for number, life in enumerate(states):
            reached = data.draw(st.integers(newest[number], len(life)))
            stale = data.draw(st.integers(0, reached))
            newest[number] = reached
            indices = sorted({stale, reached} - {0}, reverse=data.draw(st.booleans()))
            for index in indices if data.draw(st.booleans()) else {reached} - {0}:
                one = life[index - 1]
                shown.append(one)
                ends = [at for job, at in expected if job == one.id]
                if one.result and one.finished_ns > max(ends, default=0):
                    expected.add((one.id, one.finished_ns))
        for end in ledger.look(*shown):
            counted[end.result] += end.counts
        for key in ledger.jobs.due(ledger.now):
            number = int(key.removeprefix("run:r"))
            now = states[number][newest[number] - 1]
            for end in ledger.jobs.look([now], first=False, at_seconds=ledger.now, reads_logs=True, shown=["p1"]):
                counted[end.result] += end.counts
                expected.add((now.id, now.finished_ns))
            units = ledger.jobs.settle(key, now, ledger.now).compute_units
            assert 0 <= units
            added[key] += units
            assert added[key] <= max(one.compute_units or 0 for one in states[number])
            ledger.write()
        if data.draw(st.booleans()):
            ledger.restart()
    assert len(expected) == sum(counted.values())
