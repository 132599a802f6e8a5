"""Secrets in memory and in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.config import Secret, SecretError

if TYPE_CHECKING:
    from pathlib import Path


def test_value() -> None:
    """A secret given as text is returned and not shown."""
    secret = Secret.value("hunter2")

    assert "hunter2" == secret.get()
    assert "hunter2" not in repr(secret)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_file(tmp_path: Path, ending: str) -> None:
    """One newline at the end of a file is no part of the secret; other white space is."""
    file = tmp_path / "key"
    file.write_bytes(f" key {ending}".encode())

    assert " key " == Secret.file(file).get()


def test_rotation(tmp_path: Path) -> None:
    """A file replaced by another is read again, as mounted secrets are rotated that way."""
    file, new = tmp_path / "key", tmp_path / "new"
    file.write_text("first")
    secret = Secret.file(file)
    before = secret.get()
    new.write_text("secnd")
    new.replace(file)

    assert ("first", "secnd") == (before, secret.get())


def test_bad_rotation(tmp_path: Path) -> None:
    """A file that goes bad is an error with its path, and works again once it is good."""
    file = tmp_path / "key"
    file.write_text("first")
    secret = Secret.file(file)
    secret.get()
    file.write_text("")
    with pytest.raises(SecretError) as caught:
        secret.get()
    file.write_text("second")

    assert f"the file {str(file)!r} is empty" == str(caught.value)
    assert "second" == secret.get()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\n", "is empty"),
        (b"a\nb", "has a line break or another control character inside the secret"),
        (b"a\x00", "has a line break or another control character inside the secret"),
        (b"\xff", "is not UTF-8 text"),
        (b"a" * 70_000, "is larger than 64 KiB; it should hold only the secret"),
    ],
)
def test_content_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    """What cannot go into a header is refused, without being shown."""
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(SecretError) as caught:
        Secret.file(file).get()

    assert f"the file {str(file)!r} {reason}" == str(caught.value)


def test_missing(tmp_path: Path) -> None:
    """A missing file is an error with its path."""
    with pytest.raises(SecretError) as caught:
        Secret.file(tmp_path / "key").get()

    assert f"the file {str(tmp_path / 'key')!r} cannot be read: No such file or directory" == str(caught.value)


def test_equality(tmp_path: Path) -> None:
    """Secrets are equal by where they come from."""
    file = tmp_path / "key"

    assert Secret.file(file) == Secret.file(file)
    assert Secret.value("a") == Secret.value("a")
    assert Secret.value("a") != Secret.value("b")
    assert Secret.value("") != Secret.file(file)
