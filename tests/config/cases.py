"""The folders of example configurations, and how the tests load them."""

from __future__ import annotations

from pathlib import Path

from exporter.config import Config, load

FOLDER = Path(__file__).parent
BAD = sorted((FOLDER / "bad").glob("*.yaml"))
WEB_BAD = sorted((FOLDER / "web_bad").glob("*.yml"))
GOOD = sorted((FOLDER / "good").glob("*.yaml"))

ENVIRON = {
    "SECRET": "hunter2",
    "EMPTY": "",
    "STRUCTURE": "{X-Admin: 'true'}",
    "FELDERA_KEY": "key-of-the-environment",
    "VERIFY": "true",
    "STREAMS": "50",
    "NUMBER": "123",
}

SOURCE = """\
sources:
  - name: prod
    provider: feldera
    url: https://feldera.example
"""


def load_text(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    """Write a configuration to a folder and load it."""
    file = folder / "pipeline-exporter.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, ENVIRON if environ is None else environ)
