"""Runs of ordinary records to OTLP bytes. What comes out is equal in meaning to `encode_record`.

It is compiled where a compiler was found when this was installed; everywhere else it goes column by column.

What a record is made of, in an order that puts together what repeats (a message's fields may stand in any):

    tag, length, tag of the time │ time │ severity, target, spans │ head of the body │ body │ the same in all │ digits
                                                                                  observed time, stream's fields, uid

Each is a list as long as the run, made by one call that stays in C; joined they are the run.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from operator import add
from typing import TYPE_CHECKING, Final

from exporter.logs.run import Run
from exporter.otlp.encode import (
    BODY_HEADS,
    OBSERVED_TAG,
    TABLED_BYTES,
    TIME_TAG,
    UID_HEADS,
    encode_record,
    head_fields,
)
from exporter.otlp.wire import tag, varint

try:
    from exporter.otlp import _records
except ImportError:  # pragma: no cover - no compiler at the installation
    _COMPILED = False
else:
    _COMPILED = True

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.logs.record import Record
    from exporter.logs.run import OrdinaryHead

_KEEP: Final = 4096
_DIGITS: Final = {width: [b"%0*d" % (width, number) for number in range(10**width)] for width in (1, 2, 3)}
"""The last digits of a number, up to three; those before stay the same for so many records."""

_BODY_SIZES: Final = [len(head) + size for size, head in enumerate(BODY_HEADS)]
_TIME_BYTES: Final = 9
_MOST_FURTHER_BYTES: Final = 512
_RECORD_HEADS: Final = [
    tag(2, 2) + varint(size) + bytes((TIME_TAG,)) for size in range(TABLED_BYTES + 2 * _MOST_FURTHER_BYTES)
]
_pack_time = struct.Struct("<Q").pack
_pack_observed = struct.Struct("<BQ").pack


class _Fields(dict["OrdinaryHead", bytes]):
    """The fields of a head, by the head itself: there is one object for all that say the same."""

    def __missing__(self, head: OrdinaryHead) -> bytes:
        if len(self) >= _KEEP:
            self.clear()
        self[head] = head_fields(head.severity, head.text, head.target, head.spans)
        return self[head]


_fields: Final = _Fields()


def encode_named(one: Record | Run, uid: str, stream: bytes = b"") -> bytes:
    """Return a record, or the records of a run whose first has this uid; those of the others count up from it."""
    if isinstance(one, Run):
        beginning, dash, number = uid.rpartition("-")
        return encode_run(one, (beginning + dash).encode(), int(number), stream)
    return encode_record(one, uid.encode(), stream)


def encode_run(run: Run, beginning: bytes, number: int, stream: bytes = b"") -> bytes:
    """Return the records of a run as they stand in a request, one after the other.

    Their uids are `beginning` and a number that counts up from `number`. `stream` is of `stream_fields()`.
    """
    if not _COMPILED:
        return encode_columns(run, beginning, number, stream)
    same = _pack_observed(OBSERVED_TAG, run.observed_ns) + stream
    return _records.encode(run.times_ns, run.heads, run.bodies, _fields, same, UID_HEADS, beginning, number)


def encode_columns(run: Run, beginning: bytes, number: int, stream: bytes = b"") -> bytes:
    """Return the same, where there is no compiled encoder."""
    sizes = list(map(len, run.bodies))
    if len(beginning) + len(stream) > _MOST_FURTHER_BYTES or max(sizes) >= TABLED_BYTES or 0 in run.times_ns:
        return b"".join(_one_by_one(run, beginning, number, stream))
    fields = list(map(_fields.__getitem__, run.heads))
    lengths = list(map(add, map(len, fields), map(_BODY_SIZES.__getitem__, sizes)))
    if max(lengths) >= TABLED_BYTES:
        return b"".join(_one_by_one(run, beginning, number, stream))
    columns = (map(_pack_time, run.times_ns), fields, map(BODY_HEADS.__getitem__, sizes), run.bodies)
    parts: list[bytes] = [b""] * (7 * run.count)
    for place, column in enumerate(columns, 1):
        parts[place::7] = column
    observed = _pack_observed(OBSERVED_TAG, run.observed_ns) + stream
    begin = 0
    while begin < run.count:
        higher, digits = _numbers(number + begin, run.count - begin)
        end = begin + len(digits)
        size = len(beginning) + len(higher) + len(digits[0])
        same = observed + UID_HEADS[size] + beginning + higher
        heads = _heads(_TIME_BYTES + len(same) + len(digits[0]))
        parts[7 * begin : 7 * end : 7] = map(heads.__getitem__, lengths[begin:end])
        parts[7 * begin + 5 : 7 * end : 7] = [same] * len(digits)
        parts[7 * begin + 6 : 7 * end : 7] = digits
        begin = end
    return b"".join(parts)


def _one_by_one(run: Run, beginning: bytes, number: int, stream: bytes) -> list[bytes]:
    return [encode_record(run.record(nth), b"%b%d" % (beginning, number + nth), stream) for nth in range(run.count)]


def _numbers(number: int, count: int) -> tuple[bytes, Sequence[bytes]]:
    """Return the digits that numbers from `number` on begin with, and the last ones of as many as share those."""
    if number >= 100:
        higher, place = divmod(number, 1000)
        return b"%d" % higher if higher else b"", _DIGITS[3][place : place + count]
    width = len(str(number))
    return b"", _DIGITS[width][number : number + count]


@lru_cache(maxsize=64)
def _heads(further: int) -> list[bytes]:
    """Return all that stands before the time of a record, by the length of its fields without the `further` bytes."""
    return _RECORD_HEADS[further:]
