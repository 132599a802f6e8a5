"""Colours and other terminal sequences, taken out of text."""

from __future__ import annotations

import re
from typing import Final

ESC: Final = 0x1B
"""A number: `in` takes it without the detour that it makes for bytes."""

# Control sequences (colours, cursor) and titles that are ended. A lone ESC, or a sequence cut off, is the user's text
# and stays; a sequence never reaches over the end of a line.
SEQUENCES: Final = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)")


def strip(text: bytes) -> bytes:
    """Return the text without its terminal sequences."""
    return SEQUENCES.sub(b"", text) if ESC in text else text
