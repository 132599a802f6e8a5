"""The tails of a pipeline, polled over a simulated worker, in the worker's time: nothing here waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from exporter.logs.dialects import ANY
from exporter.logs.redact import Redactor
from exporter.logs.run import singles
from exporter.logs.stats import LogStats
from exporter.logs.tailer import Channel, StreamState, TailSettings
from exporter.providers.base import Tail
from exporter.providers.errors import NotFoundError, TimedOutError
from exporter.providers.goldrush._tails import tails_of
from exporter.simulator.goldrush_pod import Window
from exporter.simulator.goldrush_world import GoldRushWorld
from exporter.tailing.tail_poller import TailPoller

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.logs.record import Record
    from exporter.logs.tailer import Named
    from exporter.providers.budget import Priority
    from exporter.providers.errors import ProviderError

INTERVAL_SECONDS = 15.0


class Polled:
    """A worker, and what is read of it. Time passes in the poller's sleeps alone."""

    def __init__(
        self, *, window: Window | None = None, replicas: int = 1, states: dict[str, StreamState] | None = None
    ) -> None:
        self.world = GoldRushWorld(window=window or Window(500))
        self.pipeline = self.world.create("orders", phase="RUNNING", replicas=replicas)
        self.worker = self.pipeline.worker
        self.stats = LogStats()
        self.states: dict[str, StreamState] = {} if states is None else states
        self.bodies: dict[str, list[str]] = defaultdict(list)
        self.records: dict[str, list[Record]] = defaultdict(list)
        self.asked: list[float] = []
        self.expected_gaps = 0
        self.shown: dict[str, dict[str, None]] = defaultdict(dict)
        """Every whole line that answers had, by pod."""
        self.live = True
        self.first_sight = True
        self.skip_before_ns = 0
        self.errors: list[ProviderError] = []
        self.fail_put = False
        self.forgotten: list[str] = []
        self.started = self.seconds
        self.poller = self.make()
        self._until = 0.0

    @property
    def seconds(self) -> float:
        """The world's time."""
        return self.world.now_us / 1e6

    def make(self) -> TailPoller:
        """Make a poller from what was committed."""
        return TailPoller(
            "prod/orders",
            self.read,
            self.channel,
            self.stats,
            interval_seconds=INTERVAL_SECONDS,
            live=lambda: self.live,
            first_sight=self.first_sight,
            pods=self.states,
            forget=self.forget,
            sleep=self.sleep,
            monotonic=lambda: self.seconds,
        )

    async def forget(self, pod: str) -> None:
        """Note a pod that is let go of."""
        self.forgotten.append(pod)

    def channel(self, pod: str) -> Channel:
        """Make a pod's channel."""

        async def put(named: Sequence[Named], state: StreamState) -> None:
            if self.fail_put:
                self.fail_put = False
                raise OSError("disk full")
            records = singles([one for one, _ in named])
            self.records[pod] += records
            self.bodies[pod] += [record.body.decode() for record in records]
            self.states[pod] = state

        state = self.states.get(pod) or StreamState(skip_before_ns=self.skip_before_ns)
        settings = TailSettings(256 * 1024, 0.5, ANY)
        return Channel(f"prod/orders {pod}", put, Redactor(defaults=True, patterns=()), settings, self.stats, state)

    async def read(self, _priority: Priority) -> Sequence[Tail]:
        """Ask the worker, and note what can be read no more."""
        self.asked.append(self.seconds - self.started)
        if self.errors:
            raise self.errors.pop(0)
        tails = tails_of(self.pipeline.logs_document(), "") if self.live else ()
        for tail in tails:
            lines = (tail.text or b"").decode().split("\n")[:-1]
            before = self.shown[tail.pod]
            if before and lines and not any(line in before for line in lines):
                self.expected_gaps += 1
            before |= dict.fromkeys(lines)
        return tails

    async def sleep(self, seconds: float) -> None:
        """Let the world go on."""
        if self.seconds >= self._until:
            raise asyncio.CancelledError
        self.world.advance(seconds)

    async def run(self, seconds: float) -> None:
        """Poll for so long."""
        self._until = self.seconds + seconds
        with contextlib.suppress(asyncio.CancelledError):
            await self.poller.run()

    @property
    def gaps(self) -> int:
        """How many gaps were committed."""
        return sum(state.gaps.get("window", 0) for state in self.states.values())


def numbered(pod: str, number: int) -> bytes:
    """Return a line that differs from all others."""
    return f"{pod} {number}".encode()


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
async def test_every_line_once_or_the_gap_counted(torn: bool) -> None:
    """At 0 to 400 lines a second and with pods replaced: each line once, and gaps where the window was too small."""
    polled = Polled(replicas=2)

    def go_on(rate: float) -> None:
        polled.worker.write_at(rate, numbered, torn=torn and rate > 1)
        polled.worker.replace_pod(0, linger_seconds=3)

    for number, rate in enumerate((0, 40, 400, 0, 3, 700, 100, 0.2, 790, 0)):
        polled.world.schedule(20.0 * number, partial(go_on, rate))
    await polled.run(240)
    assert {pod: list(lines) for pod, lines in polled.shown.items() if lines} == {
        pod: bodies for pod, bodies in polled.bodies.items() if bodies
    }
    assert polled.expected_gaps == polled.gaps
    assert polled.gaps > 0


def only(polled: Polled) -> list[str]:
    """Return the records of the first pod."""
    return polled.bodies[next(iter(polled.bodies))]


async def test_a_quiet_tail_is_looked_at_every_interval() -> None:
    """Looks get rarer while nothing comes, and are frequent again as soon as half of what is shown is new."""
    polled = Polled()
    polled.worker.write_at(0.01, numbered)
    await polled.run(300)
    assert [1.0, 1.25] == [round(polled.asked[at + 1] - polled.asked[at], 2) for at in range(2)]
    assert INTERVAL_SECONDS == pytest.approx(polled.asked[-1] - polled.asked[-2])


async def test_a_fast_tail_is_looked_at_every_second() -> None:
    """A tail that moves by more than half of its window a second is looked at every second and no more often."""
    polled = Polled()
    polled.worker.write_at(400, numbered)
    await polled.run(30)
    assert {1.0} == {round(after - before, 3) for before, after in pairwise(polled.asked)}


async def test_a_failed_fetch_is_counted_and_changes_nothing() -> None:
    """The line in the place of a log is no record; reading goes on where it was."""
    polled = Polled()
    polled.worker.write(b"a\nb")
    polled.world.schedule(5, lambda: polled.worker.fail_next_log_fetch(2))
    polled.world.schedule(15, lambda: polled.worker.write(b"c"))
    await polled.run(60)
    assert ["a", "b", "c"] == only(polled)
    assert Counter(not_found=2) == polled.stats.reconnects
    assert 0 == polled.gaps


async def test_an_unknown_failed_fetch_is_counted_and_changes_nothing() -> None:
    """A line of which nobody has heard is known by what comes after it."""
    polled = Polled()
    polled.worker.write(b"a\nb")
    polled.world.schedule(5, lambda: polled.worker.fail_next_log_fetch(2, "the dog ate it"))
    polled.world.schedule(15, lambda: polled.worker.write(b"c"))
    await polled.run(60)
    assert ["a", "b", "c"] == only(polled)
    assert Counter(not_found=1) == polled.stats.reconnects


async def test_a_lone_line_that_stays_is_a_log() -> None:
    """A container that was started again and says one line without end: it comes, behind one gap."""
    polled = Polled()
    polled.worker.write(b"a\nb")

    def start_again() -> None:
        polled.worker.restart()
        polled.worker.pods[0].write(b"out of memory")

    polled.world.schedule(5, start_again)
    await polled.run(200)
    assert ["a", "b", "out of memory"] == only(polled)
    assert 1 == polled.gaps


async def test_a_torn_line_comes_whole() -> None:
    """The two halves of a line are one record when the next look finds the second."""
    polled = Polled()
    polled.worker.pods[0].write(b"a\nhal")
    polled.world.schedule(0.7, lambda: polled.worker.pods[0].write(b"ves\n"))
    await polled.run(20)
    assert ["a", "halves"] == only(polled)


async def test_a_torn_line_that_stays_is_given_out_and_its_rest_later() -> None:
    """What has come of a line is not kept back for ever, and comes once."""
    polled = Polled()
    polled.worker.pods[0].write(b"a\nhal")
    polled.world.schedule(30, lambda: polled.worker.pods[0].write(b"ves\nb\n"))
    await polled.run(60)
    assert ["a", "hal", "ves", "b"] == only(polled)


async def test_a_record_goes_on_in_the_next_answer() -> None:
    """Lines that belong together are one record, although two answers showed them."""
    polled = Polled()
    polled.worker.write(b"ERROR it broke\n  because")
    polled.world.schedule(0.5, lambda: polled.worker.write(b"  of that\nINFO it goes on"))
    await polled.run(20)
    assert ["it broke\n  because\n  of that", "it goes on"] == only(polled)


async def test_the_last_record_of_a_pod_that_is_gone_comes() -> None:
    """What was open when a pod vanished is given out, however fast the others move."""
    polled = Polled(replicas=2)
    polled.worker.write(b"ERROR the end", pod=0)
    first = polled.worker.pods[0].name
    polled.worker.write_at(300, numbered)
    polled.world.schedule(0.5, lambda: polled.worker.pods.remove(polled.worker.pods[0]))
    await polled.run(10)
    assert "the end" in polled.bodies[first][0]


async def test_a_kill_repeats_what_was_not_handed_on() -> None:
    """Another process goes on from the committed positions: nothing is missing, nothing comes twice."""
    polled = Polled()
    polled.worker.write_at(50, numbered)
    for _ in range(5):
        await polled.run(7.3)
        polled.poller = polled.make()
    polled.worker.write_at(0)
    await polled.run(20)
    pod = polled.worker.pods[0]
    assert [f"{pod.name} {number}" for number in range(1, pod.written + 1)] == only(polled)


async def test_a_put_that_fails_leaves_nothing_out() -> None:
    """A poller that broke goes on from what was handed on."""
    polled = Polled()
    polled.worker.write_at(50, numbered)
    await polled.run(5)
    polled.fail_put = True
    with pytest.raises(OSError, match="disk full"):
        await polled.run(5)
    polled.worker.write_at(0)
    await polled.run(20)
    pod = polled.worker.pods[0]
    assert [f"{pod.name} {number}" for number in range(1, pod.written + 1)] == only(polled)


async def test_failures_are_counted_by_their_reason() -> None:
    """What keeps an answer from coming is a reconnect; the tail is not connected meanwhile."""
    polled = Polled()
    polled.errors = [NotFoundError("u", "gone", status=404), TimedOutError("u", "slow")]
    polled.worker.write(b"a")
    await polled.run(30)
    assert Counter(not_found=1, timeout=1) == polled.stats.reconnects
    assert ["a"] == only(polled)


async def test_what_was_there_at_first_sight_is_left_out() -> None:
    """With `start: end` the first answer is old, but for what says that it is newer; the next pods are wholly new."""
    polled = Polled()
    polled.skip_before_ns = polled.world.now_us * 1000
    polled.worker.write(b"old\n2001-01-01T00:00:00Z INFO older\n2099-01-01T00:00:00Z INFO newer\ntorn")
    polled.world.schedule(3, lambda: polled.worker.write(b"new"))
    polled.world.schedule(6, lambda: polled.worker.replace_pod().write(b"next\n"))
    await polled.run(20)
    assert [["newer\ntorn", "new"], ["next"]] == list(polled.bodies.values())


async def test_a_pipeline_that_is_not_live_is_looked_at_every_interval() -> None:
    """Nobody expects lines of a stopped pipeline."""
    polled = Polled()
    polled.live = False
    await polled.run(100)
    assert {INTERVAL_SECONDS} == {round(after - before, 3) for before, after in pairwise(polled.asked)}


async def test_a_pipeline_that_fails_is_looked_at_at_once() -> None:
    """The last lines before the end are the cause."""
    polled = Polled()
    polled.world.schedule(200.5, lambda: setattr(polled, "live", False))
    await polled.run(230)
    last = [seconds for seconds in polled.asked if seconds > 200]
    assert [200.5, 215.5] == pytest.approx(last[:2], abs=1.0)


async def test_a_pod_that_was_not_seen_for_a_day_is_let_go_of() -> None:
    """Its place in the journal is given back; a pod that the journal alone knows too."""
    polled = Polled(states={"older": StreamState()})
    polled.worker.write(b"a")
    first = polled.worker.pods[0].name
    polled.world.schedule(5, lambda: setattr(polled.worker, "pods", []))
    await polled.run(86_000)
    assert [] == polled.forgotten
    await polled.run(1_000)
    assert ["older", first] == polled.forgotten


@pytest.mark.parametrize("rate", [0.3, 3, 350])
async def test_newlines_that_are_left_out_at_the_end_make_no_difference(rate: float) -> None:
    """A vendor may show lines joined by newlines, without one behind the last: each comes once, and whole."""
    polled = Polled()
    read = polled.read

    async def stripped(priority: Priority) -> Sequence[Tail]:
        return [Tail(tail.pod, (tail.text or b"").rstrip(b"\n")) for tail in await read(priority)]

    polled.read = stripped  # type: ignore[method-assign,assignment]  # another vendor
    polled.poller = polled.make()
    polled.worker.write_at(rate, numbered)
    polled.world.schedule(30, lambda: polled.worker.write_at(0))
    await polled.run(80)
    pod = polled.worker.pods[0]
    assert [f"{pod.name} {number}" for number in range(1, pod.written + 1)] == only(polled)
    assert 0 == polled.gaps
