"""Every bad configuration gives exactly the error that stands beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.config import ConfigError, load, load_web
from tests.config.cases import BAD, ENVIRON, FOLDER, WEB_BAD

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("file", [*BAD, *WEB_BAD], ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_bad_configuration(file: Path) -> None:
    """A bad file is refused with the error in NAME.error, in which its path is written FILE."""
    expected = file.with_suffix(".error").read_text(encoding="utf-8").rstrip("\n")

    with pytest.raises(ConfigError) as caught:
        load(file, ENVIRON) if file in BAD else load_web(file)

    assert expected == str(caught.value).replace(str(file), "FILE")


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*bad/*.error")), ids=lambda file: file.stem)
def test_no_secret_in_errors(file: Path) -> None:
    """No error shows a secret: in the bad files every secret is `hunter2`, and keys begin with secret."""
    text = file.read_text(encoding="utf-8")

    assert [] == [secret for secret in ("hunter2", "424242", "secret-of", "of-the-") if secret in text]


def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist is an error that names it."""
    file = tmp_path / "none.yaml"

    with pytest.raises(ConfigError) as caught:
        load(file, {})

    assert f"{file}:1:1: the file cannot be read: No such file or directory" == str(caught.value)


def test_unreadable_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key file without permission is an error, not a request without a key later."""

    def refuse(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "key").write_text("k")
    file = tmp_path / "c.yaml"
    file.write_text("sources: [{name: a, provider: apify, api_key_file: key}]\n")
    # Tests often run as root, whom no permission stops.
    monkeypatch.setattr("exporter.config._secret.os.open", refuse)

    with pytest.raises(ConfigError) as caught:
        load(file, {})

    assert f"{file}:1:52: sources[0].api_key_file: 'key' cannot be read: Permission denied" == str(caught.value)
