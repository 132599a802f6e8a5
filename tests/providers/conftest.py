"""What all tests of providers share."""

from __future__ import annotations

import pytest

from exporter.providers import http


@pytest.fixture(autouse=True)
def _no_pause_between_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "FIRST_DELAY_SECONDS", 0.0)
