"""Where the recorded answers of a real server are: kept beside the repository, not in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "recordings" / "feldera"


def need_recordings() -> None:
    """Skip the module that calls this where there are no recordings; in CI, which has them, fail."""
    if FOLDER.is_dir():
        return
    missing = "the recordings are not beside the repository, in ../shared/recordings/feldera"
    if os.environ.get("CI"):
        pytest.fail(f"{missing}; CI must have them", pytrace=False)
    pytest.skip(missing, allow_module_level=True)
