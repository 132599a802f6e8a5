"""Cut off what was read before: from a stored position and a new connection's lines to the lines that are new.

Pure: no I/O and no clock. A stream is made for each connection and fed its blocks; it gives back what is new, and the
gaps, and can tell the position after any line that it gave out:

    open_cursor(before, epoch, seq, gap)   Feldera with the three headers
    open_replay(before)                    Feldera without them: the whole buffer is sent again
    open_overlap(before)                   Apify (follow=True), GoldRush: only the text itself tells

What holds, as long as a position is committed together with the records it covers, and gaps with `covered(…)` of that
moment:
- cursor: exactly once, always; absolute index: exactly once, save that a new buffer with discarded lines whose last
  compared lines equal the stored ones, at the same numbers, passes for the old one;
  (a buffer that has discarded nothing is known by its first line);
- change between these two: the same, because both number the lines of the buffer alike;
- servers before 0.350 count a message of several lines as one once it is discarded, so that numbers drift: all of the
  32 lines remembered, found exactly once a little before the number, are then the place;
- overlap: nothing repeated and nothing lost unless the text repeats itself: see `_overlap`.
"""

from exporter.logs.resume._position import (
    CursorPosition,
    Fed,
    Gap,
    IndexPosition,
    OverlapPosition,
    Position,
)
from exporter.logs.resume._stream import Stream, open_cursor, open_overlap, open_replay

__all__ = [
    "CursorPosition",
    "Fed",
    "Gap",
    "IndexPosition",
    "OverlapPosition",
    "Position",
    "Stream",
    "open_cursor",
    "open_overlap",
    "open_replay",
]
