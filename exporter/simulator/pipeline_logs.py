"""The log of one pipeline as the runner holds it: a buffer for those who come, a queue for each who follows."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from exporter.simulator.log_buffer import LogBuffer, Position
from exporter.simulator.log_follower import End, Follower

if TYPE_CHECKING:
    from collections.abc import Sequence


class PipelineLogs:
    """One life of a log, from the runner's start or the pipeline's creation to the end of either."""

    __slots__ = ("_followers", "_over", "buffer", "epoch")

    def __init__(self, epoch: str, first_line: bytes) -> None:
        self.epoch = epoch
        self.buffer = LogBuffer()
        self.buffer.append(first_line)
        self._followers: list[Follower] = []
        self._over: End | None = None

    @property
    def followers(self) -> tuple[Follower, ...]:
        """Those who follow."""
        return tuple(self._followers)

    def extend(self, lines: Sequence[bytes]) -> None:
        """Write lines without line ends. Followers get also those that the buffer does not keep."""
        self.buffer.extend(lines)
        dropped = False
        for follower in self._followers:
            follower.offer(lines)
            dropped = dropped or follower.end is not None
        if dropped:
            self._followers = [follower for follower in self._followers if follower.end is None]

    def follow(self, notice: bytes | None = None) -> Follower:
        """Follow with a replay of the whole buffer, behind a notice where there is one."""
        follower = Follower(marked=True)
        if notice is not None:
            follower.replay([notice])
        follower.replay(self.buffer.lines)
        return self._admit(follower)

    def resume(self, cursor: tuple[str, int] | None) -> tuple[Position, Follower]:
        """Follow after a cursor. One of another life is none: everything is sent, and what is gone already is the gap."""
        seen = cursor[1] if cursor is not None and cursor[0] == self.epoch else 0
        position = self.buffer.resume(seen)
        follower = Follower(marked=False)
        follower.replay(islice(self.buffer.lines, position.seq - self.buffer.discarded, None))
        return position, self._admit(follower)

    def leave(self, follower: Follower) -> None:
        """Forget a follower, also one that has left."""
        if follower in self._followers:
            self._followers.remove(follower)

    def end(self, end: End, torn: bytes = b"") -> None:
        """End every open stream. The log itself goes on."""
        followers, self._followers = self._followers, []
        for follower in followers:
            follower.finish(end, torn)

    def close(self, end: End, torn: bytes = b"") -> None:
        """End every open stream, and that of each who still comes."""
        self._over = end
        self.end(end, torn)

    def _admit(self, follower: Follower) -> Follower:
        if self._over is None:
            self._followers.append(follower)
        else:
            follower.finish(self._over)
        return follower
