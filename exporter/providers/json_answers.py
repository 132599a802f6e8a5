"""JSON out of an answer's body, also where a text in it was cut in the middle of a character."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)
"""An escape of any kind; the group is half of a character that has no other half."""


def decode(body: bytes, type_: type = object) -> Any:
    r"""Decode JSON. Raises msgspec.DecodeError, UnicodeDecodeError or RecursionError.

    Services that cut a text by its length leave half a character (`\ud83d`) in valid JSON; it is replaced, so that one
    name does not make a whole list unreadable.
    """
    try:
        return _decode(body, type_)
    except (msgspec.DecodeError, UnicodeDecodeError):
        mended = _mend(body)
        if mended == body:
            raise
    return _decode(mended, type_)


def _decode(body: bytes, type_: type) -> Any:
    return msgspec.json.decode(body) if type_ is object else msgspec.json.decode(body, type=type_)


def _mend(body: bytes) -> bytes:
    whole = body.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], whole)
