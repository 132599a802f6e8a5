"""What is compiled where there is a compiler at the installation. Elsewhere Python does the same, at about twice the cost."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

MODULES: Final = ("exporter.logs._rows", "exporter.otlp._records", "exporter.providers._chunks")


def is_complete() -> bool:
    """Whether everything was compiled."""
    return all(map(find_spec, MODULES))
