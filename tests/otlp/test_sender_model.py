"""Whatever a destination answers: in order for each pipeline, only what is bad put aside, no request too large, no end of it."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.otlp.json_lines import from_json_line
from exporter.otlp.transport import Accepted, Refused, RefusedData, RefusedDestination, Retry
from tests.otlp.carrying import batch, carrier_by
from tests.otlp.receiver import Received

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporter.otlp.outbox import Batch
    from exporter.otlp.transport import Outcome

SECONDS = 60
_BAD = "!"
_PASSING: Sequence[tuple[float, Outcome]] = (
    (0.04, Retry(None, "503", "busy")),
    (0.06, Retry(0.002, "429", "slow down")),
    (0.09, Refused("500", "broken")),
    (0.10, RefusedDestination("401", "who are you")),
)
_LOST = Retry(None, "timeout", "the answer was lost")


@dataclass
class Moody:
    """A destination that is away, slow to trust, and takes no bad record and no large request. As a transport it is whole."""

    random: Random
    largest: int
    accepted: list[str] = field(default_factory=list)
    requests: list[list[str]] = field(default_factory=list)

    async def send(self, request: bytes, count: int) -> Outcome:
        """Answer by the mood, and by what is in it."""
        bodies = Received(ExportLogsServiceRequest.FromString(request), {}, "", "").bodies
        assert len(bodies) == count
        self.requests.append(bodies)
        await asyncio.sleep(0)
        mood = self.random.random()
        for chance, passing in _PASSING:
            if mood < chance:
                return passing
        if any(body.endswith(_BAD) for body in bodies) or len(bodies) > self.largest:
            return RefusedData("400", "bad")
        self.accepted += bodies
        return _LOST if mood > 0.98 else Accepted("200")

    async def close(self) -> None:
        """Have nothing to close."""


class Writer:
    """Makes the records of pipelines, numbered for each; some are bad."""

    def __init__(self, random: Random) -> None:
        self.written: dict[str, list[str]] = {f"p{number}": [] for number in range(random.randint(1, 5))}
        self._random = random

    def some(self, name: str, bad: float) -> Batch:
        """Return further records of a pipeline."""
        lines = self.written[name]
        count = self._random.randint(1, self._random.choice((1, 3, 12)))
        new = [f"{name} {len(lines) + more}{_BAD * (self._random.random() < bad)}" for more in range(count)]
        lines += new
        return batch(name, *new)


@pytest.mark.parametrize("seed", range(30))
async def test_any_destination(tmp_path: Path, seed: int) -> None:
    """Random records, limits, kills and answers: what is good comes in order, what is bad is in the dead letters."""
    random = Random(seed)
    writer, destination = Writer(random), Moody(random, largest=random.choice((2, 5, 100)))
    lanes, max_records = random.randint(1, 3), random.choice((4, 7, 50))
    letters = tmp_path / "dead-letter.jsonl"
    if random.random() < 0.3:
        letters.write_bytes(b"{}\n" * 400)
    kills = 0
    async with asyncio.timeout(SECONDS):
        while kills < random.randint(1, 3):
            async with carrier_by(
                tmp_path, destination, lanes=lanes, max_records=max_records, dead_letter_limit=1_000
            ) as one:
                for _ in range(random.randint(1, 15)):
                    await one.hand_in(writer.some(random.choice(list(writer.written)), 0.15))
                    for _ in range(random.choice((0, 3, 50))):
                        await asyncio.sleep(0)
            kills += 1
        dead = bodies_of(letters)
        letters.unlink(missing_ok=True)
        async with carrier_by(tmp_path, destination, lanes=lanes, max_records=max_records) as one:
            while one.outbox.waiting_records:
                # Bad records are known to be bad only when something behind them is accepted.
                await one.hand_in(*[writer.some(name, 0) for name in writer.written])
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(one.drained(), 0.2)
            assert [] == await one.journal.read_waiting()
        dead += bodies_of(letters)
    assert max(map(len, destination.requests)) <= max_records
    for name, lines in writer.written.items():
        good = [line for line in lines if not line.endswith(_BAD)]
        assert good == list(dict.fromkeys(body for body in destination.accepted if body.startswith(name)))
        assert [line for line in lines if line.endswith(_BAD)] == list(
            dict.fromkeys(body for body in dead if body.startswith(name))
        )


def bodies_of(letters: Path) -> list[str]:
    """Return the bodies of dead letters."""
    lines = letters.read_bytes().splitlines() if letters.exists() else []
    requests = [ExportLogsServiceRequest.FromString(from_json_line(line)) for line in lines if line != b"{}"]
    return [body for request in requests for body in Received(request, {}, "", "").bodies]
