"""The log of one job: the newest part of what it wrote, and those who follow it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from exporter.simulator.apify.identifiers import begun_escape, without_ansi
from exporter.simulator.log_follower import End, Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LIMIT_BYTES = 10_485_760
_REPLAY_BYTES = 16_384


class JobLog:
    """Keeps at most `limit_bytes`: older lines go, or with `cut_in_lines` older bytes, wherever that cuts."""

    __slots__ = ("_begun", "_followers", "_kept", "cut_in_lines", "limit_bytes", "size_bytes", "written_bytes")

    def __init__(self, limit_bytes: int = LIMIT_BYTES, *, cut_in_lines: bool = False) -> None:
        self.limit_bytes = limit_bytes
        self.cut_in_lines = cut_in_lines
        self.size_bytes = 0
        self.written_bytes = 0
        self._kept: deque[bytes] = deque()
        self._begun = b""
        """An escape code at the end that is not whole: not shown until it is known what it is."""
        self._followers: dict[Follower, bool] = {}

    @property
    def followers(self) -> tuple[Follower, ...]:
        """Those who follow."""
        return tuple(self._followers)

    def text(self, *, raw: bool = True) -> bytes:
        """Return what is kept."""
        text = b"".join(self._kept)
        return text if raw else without_ansi(text.removesuffix(self._begun))

    def write(self, text: bytes) -> None:
        """Write text as it is: whole lines, or a part of one. Followers get also what is not kept."""
        if not text:
            return
        self.written_bytes += len(text)
        self.size_bytes += len(text)
        self._kept.append(text)
        self._shrink()
        shown = self._begun + text
        self._begun = begun_escape(shown)
        plain = without_ansi(shown.removesuffix(self._begun))
        for follower, raw in list(self._followers.items()):
            piece = text if raw else plain
            if piece:
                follower.offer([piece])

    def follow(self, *, raw: bool) -> Follower:
        """Follow with a replay of all that is kept, in blocks that end anywhere."""
        follower = Follower(marked=False)
        follower.replay(_blocks(self.text(raw=raw)))
        self._followers[follower] = raw
        return follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower, also one that has left."""
        self._followers.pop(follower, None)

    def end(self, end: End) -> None:
        """End every open stream. The log itself can go on."""
        followers, self._followers = self._followers, {}
        for follower in followers:
            follower.finish(end)

    def _shrink(self) -> None:
        while self.size_bytes > self.limit_bytes:
            over = self.size_bytes - self.limit_bytes
            oldest = self._kept[0]
            gone = min(over, len(oldest)) if self.cut_in_lines else oldest.find(b"\n") + 1 or len(oldest)
            self.size_bytes -= gone
            if gone < len(oldest):
                self._kept[0] = oldest[gone:]
            else:
                self._kept.popleft()


class JobStream:
    """The stream of a log that is granted and not yet open."""

    line_end = b""

    def __init__(self, log: JobLog, *, raw: bool, live: Callable[[], bool], cut: tuple[int, End] | None) -> None:
        self._log = log
        self._raw = raw
        self._live = live
        self._cut = cut
        """After how many bytes, and how, the stream ends before its time."""

    def open(self) -> tuple[Mapping[str, str], Follower]:
        """Begin to follow. A job that has ended, or has not written yet, ends it at once."""
        if self._cut is not None:
            return {}, self._torn(*self._cut)
        follower = self._log.follow(raw=self._raw)
        if not self._live() or not self._log.written_bytes:
            self.leave(follower)
            follower.finish(End.CLEAN)
        return {}, follower

    def leave(self, follower: Follower) -> None:
        """Forget a follower, also one that has left."""
        self._log.leave(follower)

    def replayed(self) -> bytes:
        """Return what a reader would get at once."""
        return self._log.text(raw=self._raw)

    def _torn(self, after_bytes: int, end: End) -> Follower:
        follower = Follower(marked=False)
        follower.replay(_blocks(self.replayed()[:after_bytes]))
        follower.finish(end)
        return follower


def _blocks(text: bytes) -> Iterator[bytes]:
    return (text[start : start + _REPLAY_BYTES] for start in range(0, len(text), _REPLAY_BYTES))
