"""Secrets: given in the configuration, or in a file that is read again when it changes."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Self

from exporter.config._errors import SecretError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_FILE_BYTES = 64 * 1024

_Stamp = tuple[int, int, int]


def has_control_characters(text: str) -> bool:
    """Whether the text could end a header and begin another."""
    return any(ord(character) < 0x20 or ord(character) == 0x7F for character in text)


class Secret:
    """Hold one secret. Neither `repr` nor any error shows it."""

    __slots__ = ("_one_line", "_path", "_stamp", "_text")

    def __init__(self, text: str, path: Path | None, *, one_line: bool = True) -> None:
        self._text = text
        self._path = path
        self._one_line = one_line
        self._stamp: _Stamp | None = None

    @classmethod
    def value(cls, text: str) -> Self:
        """Return a secret that never changes."""
        return cls(text, None)

    @classmethod
    def file(cls, path: Path, *, one_line: bool = True) -> Self:
        """Return the secret that a file holds. With `one_line`, control characters inside are refused."""
        return cls("", path, one_line=one_line)

    def get(self) -> str:
        """Return the secret as it is now.

        Raises SecretError when the file is missing, unreadable, empty or not fit for a header. The file is looked at
        each time and read only when it changed, so that a rotated key is used with the next request.
        """
        if self._path is not None:
            try:
                if _stamp(os.stat(self._path)) != self._stamp:  # noqa: PTH116 - one call a request, without a new object
                    self._read(self._path)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                raise SecretError(self._path, f"cannot be read: {reason}") from None
        return self._text

    def _read(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise SecretError(path, "is not a regular file")
            content = file.read(_LARGEST_FILE_BYTES + 1)
        self._text = self._checked(content, path)
        self._stamp = _stamp(status)

    def _checked(self, content: bytes, path: Path) -> str:
        if len(content) > _LARGEST_FILE_BYTES:
            raise SecretError(path, "is larger than 64 KiB; it should hold only the secret")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            raise SecretError(path, "is not UTF-8 text") from None
        if self._one_line:
            text = text.removesuffix("\n").removesuffix("\r")
        if not text.strip():
            raise SecretError(path, "is empty")
        if self._one_line and has_control_characters(text):
            raise SecretError(path, "has a line break or another control character inside the secret")
        return text

    def __eq__(self, other: object) -> bool:
        """Two secrets are equal when they come from the same place: a file's content may change at any time."""
        if not isinstance(other, Secret):
            return NotImplemented
        return self._path == other._path and (self._path is not None or self._text == other._text)

    def __hash__(self) -> int:
        return hash((self._path, self._text if self._path is None else None))

    def __repr__(self) -> str:
        return f"Secret(file={str(self._path)!r})" if self._path else "Secret('**********')"


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_mtime_ns, status.st_size, status.st_ino
