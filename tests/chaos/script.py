"""What a pipeline prints: numbered records of several shapes, with the text that each line must become."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from random import Random

    from exporter.simulator import Pipeline

_TARGET = "dbsp_adapters::controller"
_SAME_EVERY_TIME = "  input connector 'orders' is retried"
"""Lines that repeat, so that no position can be found by the text of one line alone."""


POISON = "this record is refused"
"""The collector never takes a record that says so."""

_POISONED = 1 / 4000
"""The part of the records that are so."""


class Written(NamedTuple):
    """One line: as it is printed, and as it is found again in a record's body."""

    line: bytes
    text: str
    begins: bool = False
    """Whether a record begins with it."""


class Script:
    """Endless records of one pipeline; every record has a number of its own in its first line."""

    def __init__(self, pipeline: Pipeline, random: Random) -> None:
        self.pipeline = pipeline
        self._random = random
        self._number = 0

    def record(self) -> list[Written]:
        """Make the next record, of one line or several."""
        self._number += 1
        if self._random.random() < _POISONED:
            return [self._head(f"{self.pipeline.name} says number {self._number}, {POISON}")]
        shape = self._random.choice((*(self._single,) * 12, self._block, self._panic, self._same))
        return shape(f"{self.pipeline.name} says number {self._number}")

    def _head(self, said: str, level: str = "INFO") -> Written:
        line = self.pipeline.style.process(self.pipeline.world.now_us, level, _TARGET, said)
        return Written(line, said, begins=True)

    def _single(self, said: str) -> list[Written]:
        return [self._head(said + " " + "." * self._random.randrange(80))]

    def _same(self, said: str) -> list[Written]:
        return [self._head(said, "WARN"), *_raw([_SAME_EVERY_TIME] * self._random.randint(1, 5))]

    def _block(self, said: str) -> list[Written]:
        steps = [f"  step {number} of {said}" for number in range(self._random.randint(1, 20))]
        return [self._head(said, "ERROR"), *_raw([*steps, "", "the record is left out"])]

    def _panic(self, said: str) -> list[Written]:
        frames = [f"  {number:2}: dbsp::circuit::step{number}" for number in range(self._random.randint(2, 9))]
        place = f"thread 'dbsp-worker-{self._number % 4}' ({self._number}) panicked at src/x.rs:{self._number}:7:"
        block = ["", place, said, "stack backtrace:", *frames]
        return [*(one._replace(begins=one.text == place) for one in _raw(block)), self._head(f"after {place}")]


def _raw(texts: list[str]) -> list[Written]:
    return [Written(text.encode(), text) for text in texts]
