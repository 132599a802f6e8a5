"""The dashboards as a few lines a panel: `python -m dashboards.generate` writes them as Grafana's JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from dashboards.generate import apify, exporter, feldera, goldrush, overview

if TYPE_CHECKING:
    from dashboards.generate.document import Dashboard

FOLDER = Path(__file__).parent.parent

DASHBOARDS: tuple[Dashboard, ...] = (
    overview.DASHBOARD,
    feldera.DASHBOARD,
    apify.DASHBOARD,
    goldrush.DASHBOARD,
    exporter.DASHBOARD,
)


def text_of(dashboard: Dashboard) -> str:
    """Return a dashboard as its file holds it."""
    return json.dumps(dashboard.document(), indent=2, ensure_ascii=False) + "\n"


def write() -> None:
    """Write every dashboard to its file."""
    for dashboard in DASHBOARDS:
        (FOLDER / f"{dashboard.name}.json").write_text(text_of(dashboard))
