"""What one look at Apify finds."""

from __future__ import annotations

import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from exporter.providers.apify._words import read_job
from exporter.providers.errors import ProviderError, StatusError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from exporter.status.model import JobSeen


class Look:
    """The jobs that the pages of a look show, in the order in which they were asked for, and what went wrong."""

    def __init__(self) -> None:
        self.jobs: list[JobSeen] = []
        self.latest: dict[str, JobSeen] = {}
        """By key: as the newest page shows it."""
        self.owners: dict[str, str] = {}
        """By key: whose a job is, as far as its item does not say."""
        self.retired: list[str] = []
        self.problem: ProviderError | None = None
        self.is_over = False
        """The vendor does not answer, or wants quiet: nothing more is asked in this look."""
        self.malformed = 0

    def take(self, kind: str, items: Sequence[Any]) -> list[JobSeen]:
        """Take in the items of a page; return those that can be read."""
        found = []
        for item in items:
            try:
                job = read_job(kind, item)
            except ValueError:
                self.malformed += 1
            else:
                found.append(job)
                self.add(job)
        return found

    def add(self, job: JobSeen) -> None:
        """Take in a job."""
        if self.latest.get(job.key) != job:
            self.latest[job.key] = job
            self.jobs.append(job)

    def own(self, key: str, owner: str) -> None:
        """Note whose a job is."""
        self.owners[key] = owner

    @contextlib.contextmanager
    def tolerating(self) -> Iterator[None]:
        """Do one part of the look; where it fails, the others go on."""
        try:
            yield
        except ProviderError as error:
            self.fail(error)

    def fail(self, error: ProviderError) -> None:
        """Note a failure."""
        self.problem = self.problem or error
        self.end_after(error)

    def end_after(self, error: ProviderError) -> None:
        """Ask nothing more where an error says that it is of no use."""
        too_many = isinstance(error, StatusError) and error.status == HTTPStatus.TOO_MANY_REQUESTS
        self.is_over = self.is_over or too_many or isinstance(error, TimedOutError | UnreachableError)
