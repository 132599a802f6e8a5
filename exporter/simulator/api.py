"""What the server asks of a vendor: one protocol for its API, one for the streams in its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.answer import Answer
    from exporter.simulator.faults import Fault
    from exporter.simulator.log_follower import End, Follower


class Api(Protocol):
    """The API of one vendor over its world: requests in, answers out, no I/O."""

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What can go wrong by chance, in the words of this vendor."""
        ...

    def answer(self, method: str, raw_path: str, query: str = "", authorization: str | None = None) -> Answer:
        """Answer one request; `raw_path` and `query` as they came, percent signs and all."""
        ...

    def end_streams(self, end: End) -> None:
        """End every open stream, and every answer that is still waited for."""
        ...


class VendorWorld(Protocol):
    """The world of a vendor, as the server and the program need it; most of it comes from `clock.Clock`."""

    @property
    def next_action_us(self) -> int | None:
        """When the next planned action is due."""
        ...

    def advance_to(self, now_us: int) -> None:
        """Let time pass up to a moment."""
        ...

    def api(self, api_key: str | None) -> Api:
        """Return the API over this world, with an API key where one is set."""
        ...


class Stream(Protocol):
    """A stream that is granted and not yet open, so that its position is that of the moment when it opens."""

    @property
    def line_end(self) -> bytes:
        """What is sent behind each piece that a follower takes; nothing where the pieces hold their line ends."""
        ...

    def open(self) -> tuple[Mapping[str, str], Follower]:
        """Begin to follow, and return the headers that belong to it."""
        ...

    def leave(self, follower: Follower) -> None:
        """Forget a follower, also one that has left."""
        ...

    def replayed(self) -> bytes:
        """Return what a reader would get at once."""
        ...


class Later:
    """An answer that the client waits for."""

    def __init__(self, make: Callable[[], Answer]) -> None:
        self.make = make
        self.over = False
        self.on_over: Callable[[], None] | None = None

    def finish(self) -> None:
        """Let the answer be made and sent now."""
        self.over = True
        if self.on_over is not None:
            self.on_over()
