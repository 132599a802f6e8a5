"""What jobs of Apify do in a storm: they log in every shape, end, log late, are resurrected and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.apify.identifiers import time_text

if TYPE_CHECKING:
    from random import Random

    from exporter.simulator.apify import Job
    from tests.vendors.oracle import Stream

_SMALL_LOG_BYTES = (12_000, 60_000)
_SMALL = 0.3
"""The part of the jobs of which the vendor keeps little: the head of their logs is cut, anywhere."""

_LARGE_BYTES = 2_000_000
_RESULTS = ("SUCCEEDED", "SUCCEEDED", "SUCCEEDED", "FAILED", "TIMED-OUT", "ABORTED")
_SAME = "    at retry (/usr/src/app/main.js:10:3)"
"""A line that repeats, so that no place can be found by the text of one line alone."""


class Script:
    """One job. Every message has a number of its own; what may be lost with a small log waits until it was read."""

    def __init__(self, job: Job, stream: Stream, random: Random, life_seconds: float) -> None:
        self.job = job
        self.stream = stream
        self.ends_at = job.world.now_us + round(life_seconds * 1_000_000)
        self._random = random
        self._number = 0
        self._rest = b""
        small = random.random() < _SMALL
        small_bytes = random.randint(*_SMALL_LOG_BYTES)
        self._most_bytes = small_bytes // 2 if small else _LARGE_BYTES
        if small:
            job.log_limit(small_bytes, cut_in_lines=random.random() < 0.5)

    @property
    def overdue(self) -> bool:
        """Whether its time has come."""
        return self.job.world.now_us >= self.ends_at

    def say(self) -> None:
        """Log something, or the rest of what was begun."""
        if self._rest:
            self._finish_line()
        waiting = self.stream.lines[self.stream.accepted :]
        if sum(len(line) + 26 for line in waiting) > self._most_bytes:
            return
        shape = self._random.choice((self._single, self._single, self._single, self._block, self._same, self._torn))
        self._number += 1
        shape(f"ž {self.job.id} says number {self._number}")

    def end(self) -> str:
        """End it, and maybe log something that shows only afterwards; return the status."""
        self._finish_line()
        status = self._random.choice(_RESULTS)
        if self._random.random() < 0.4:
            late = f"late words of {self.job.id}, number {self._number}"
            self.stream.lines.append(late)
            self.job.log_late(late, self._random.uniform(0.5, 6))
        self.job.finish(status)
        return status

    def _single(self, said: str) -> None:
        # Like a date, a message may hold a second time.
        text = f"{said} at {time_text(self.job.world.now_us)} ERROR-free " + "." * self._random.randrange(60)
        self._write(text)

    def _block(self, said: str) -> None:
        self._write(said)
        for step in range(self._random.randint(1, 12)):
            self._raw(f"  step {step} of {said}")

    def _same(self, said: str) -> None:
        self._write(said)
        for _ in range(self._random.randint(1, 6)):
            self._raw(_SAME)

    def _torn(self, said: str) -> None:
        line = self._line(said)
        cut = self._random.randrange(1, len(line))
        self._rest = line[cut:]
        self.stream.lines.append(said)
        self.job.write(line[:cut])

    def _finish_line(self) -> None:
        if self._rest:
            rest, self._rest = self._rest, b""
            self.job.write(rest)

    def _write(self, said: str) -> None:
        self.stream.lines.append(said)
        colour = self._random.random() < 0.2
        self.job.write(self._line(f"\x1b[32m{said}\x1b[39m" if colour else said))

    def _raw(self, text: str) -> None:
        self.stream.lines.append(text)
        self.job.write(f"{text}\n".encode())

    def _line(self, said: str) -> bytes:
        return f"{time_text(self.job.world.now_us)} {said}\n".encode()
