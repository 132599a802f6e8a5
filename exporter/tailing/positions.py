"""How far those streams of a source have been read that are not read now."""

from __future__ import annotations

import logging
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import msgspec

from exporter.logs.tailer import StreamState
from exporter.otlp.outbox import Batch

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from exporter.otlp.outbox import Outbox

NOTHING: Final[Mapping[str, StreamState]] = MappingProxyType({})

_log = logging.getLogger(__name__)


class Positions:
    """States by pipeline and stream. A reader takes its own; it is kept again when the reader is stopped.

    Under its own id a pipeline whose logs are many streams has the sum of what streams had lost that are let go of.
    """

    def __init__(self, source: str, outbox: Outbox) -> None:
        self._source = source
        self._outbox = outbox
        self._states: dict[str, dict[str, StreamState]] = {}

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Take up what the journal has, by stream."""
        for stream, data in rows.items():
            try:
                state = msgspec.msgpack.decode(data, type=StreamState)
            except msgspec.MsgspecError:
                _log.error("source %s: the journal's position of the log %s cannot be read", self._source, stream)
            else:
                self.keep(state.pipeline or stream, stream, state)

    def of(self, pipeline_id: str) -> Mapping[str, StreamState]:
        """Return the states of a pipeline's streams."""
        return self._states.get(pipeline_id, NOTHING)

    def take(self, pipeline_id: str, stream: str) -> StreamState:
        """Return the state of a stream, for a reader to go on from; a new one where there is none."""
        return self._states.get(pipeline_id, {}).pop(stream, None) or StreamState()

    def keep(self, pipeline_id: str, stream: str, state: StreamState) -> None:
        """Take the state of a stream that is not read any more."""
        self._states.setdefault(pipeline_id, {})[stream] = state

    def forget_others(self, known: Container[str]) -> None:
        """Let go of the streams of pipelines that are not known any more, here and in the journal."""
        for pipeline_id in [one for one in self._states if one not in known]:
            for stream in self._states.pop(pipeline_id):
                self._note(pipeline_id, stream, b"", {stream: None})

    def write_again(self) -> None:
        """Have all states written: the journal was corrupt and has begun anew."""
        for pipeline_id, states in self._states.items():
            for stream, state in states.items():
                self.note(pipeline_id, stream, state)

    def note(self, pipeline_id: str, stream: str, state: StreamState) -> None:
        """Have a state written that the journal may have lost."""
        self._note(pipeline_id, stream, msgspec.msgpack.encode(state), {})

    def _note(self, pipeline_id: str, stream: str, position: bytes, further: Mapping[str, bytes | None]) -> None:
        key = (self._source, pipeline_id)
        self._outbox.note(Batch(key, self._source, stream, b"", (), position, time.time(), further))
