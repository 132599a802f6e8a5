"""Colours and other terminal sequences, taken out of text."""

from __future__ import annotations

import re
from typing import Final

ESC: Final = b"\x1b"

# Control sequences (colours, cursor) and titles that are ended. A lone ESC, or a sequence cut off, is the user's text
# and stays; a sequence never reaches over the end of a line.
_SEQUENCES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)")


def strip(text: bytes) -> bytes:
    """Return the text without its terminal sequences."""
    return _SEQUENCES.sub(b"", text) if ESC in text else text
