"""Other processes of a benchmark: what they burn is not counted, or counted by themselves."""

from __future__ import annotations

import multiprocessing
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

_STOP_SECONDS = 10.0


class Cost(NamedTuple):
    """What something took: CPU of all threads of the process, and by the clock on the wall."""

    cpu_seconds: float
    wall_seconds: float


class Stopwatch:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._cpu = time.process_time()
        self._wall = time.perf_counter()

    def cost(self) -> Cost:
        """Return what was spent up to now."""
        return Cost(time.process_time() - self._cpu, time.perf_counter() - self._wall)


class Child:
    """A process that answers questions, one after the other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, *question: Any) -> Any:
        """Ask and wait for the answer. Raises EOFError when the process has died."""
        self._connection.send(question)
        return self._connection.recv()


@contextmanager
def child(main: Callable[..., None], *args: object) -> Iterator[Child]:
    """Run `main(connection, *args)` in a new process until the end of the block; None is the question to stop."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=main, args=(there, *args), daemon=True)
    process.start()
    there.close()
    try:
        yield Child(here)
        here.send(None)
        process.join(_STOP_SECONDS)
    finally:
        here.close()
        if process.is_alive():
            process.kill()
        process.join()
