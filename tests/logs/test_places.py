"""Which logs of jobs are open, where there are more of them than places."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.logs.places import choose
from exporter.status.model import Job


def job(number: int, *, ended: bool = False) -> Job:
    """Return a job that began at this second."""
    return Job("run", f"job{number}", "actor", "RUNNING", "success" if ended else "", number * 10**9, 0)


def ids(jobs: list[Job]) -> list[str]:
    """Return their ids."""
    return [one.id for one in jobs]


def test_all_have_a_place_where_there_are_enough() -> None:
    """Running ones stand first, the newest of them at the head."""
    chosen, queued = choose([job(1), job(2, ended=True), job(3)], 10)
    assert (["job3", "job1", "job2"], 0) == (ids(chosen), queued)


def test_the_newest_that_run_go_first() -> None:
    """Where nothing has ended, the oldest that run have to wait."""
    chosen, queued = choose([job(number) for number in range(5)], 2)
    assert (["job4", "job3"], 3) == (ids(chosen), queued)


def test_those_that_ended_are_not_starved() -> None:
    """However many run, a tenth of the places is for logs that only have to be read to their end."""
    jobs = [*(job(number) for number in range(100, 150)), *(job(number, ended=True) for number in range(5))]
    chosen, queued = choose(jobs, 20)
    assert ([f"job{number}" for number in range(149, 131, -1)] + ["job4", "job3"], 35) == (ids(chosen), queued)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 40))
def test_no_place_is_left_empty_and_none_is_given_twice(ended: list[bool], places: int) -> None:
    """As many are open as there are places, or all; the others wait."""
    jobs = [job(number, ended=one) for number, one in enumerate(ended)]
    chosen, queued = choose(jobs, places)
    assert (min(places, len(jobs)), len(jobs) - len(chosen)) == (len({one.id for one in chosen}), queued)
