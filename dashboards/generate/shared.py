"""What several dashboards ask for: the selectors of what is chosen at the top, states, and the logs of a vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dashboards.generate.panels import Panel, Query, graph, timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

STATES: Final = {
    "pending": "yellow",
    "starting": "light-blue",
    "running": "green",
    "degraded": "orange",
    "paused": "purple",
    "stopping": "light-orange",
    "stopped": "text",
    "succeeded": "dark-green",
    "failed": "red",
    "unknown": "dark-red",
}
"""The states with their colours."""

BAD_OR_GOOD: Final = (("bad", "red"), ("good", "green"))


class Chosen:
    """Series of what is chosen at the top: of one vendor, or of all.

    Labels are given by their value; one with `|` in it is a choice of several.
    """

    def __init__(self, provider: str | None = None) -> None:
        self._provider = {"provider": provider} if provider else {}

    def pipelines(self, metric: str, **labels: str) -> str:
        """Return a metric of pipelines."""
        return metric + _matchers({**self._provider, "source": None, "pipeline": None, **labels})

    def sources(self, metric: str, **labels: str) -> str:
        """Return a metric of sources."""
        return metric + _matchers({**self._provider, "source": None, **labels})


def of_sources(metric: str, **labels: str) -> str:
    """Return one of the exporter's metrics of the sources that are chosen: these do not say the vendor."""
    return metric + _matchers({"source": None, **labels})


def _matchers(labels: Mapping[str, str | None]) -> str:
    """Return labels as a query has them; those without a value are chosen at the top."""
    parts = []
    for label, value in labels.items():
        if value is None:
            parts.append(f'{label}=~"${label}"')
        else:
            parts.append(f'{label}=~"{value}"' if "|" in value else f'{label}="{value}"')
    return "{" + ", ".join(parts) + "}"


def rate(series: str) -> str:
    """Return how much a counter grows a second."""
    return f"rate({series}[$__rate_interval])"


def grown(series: str, over: str = "$__rate_interval") -> str:
    """Return by how much a counter has grown."""
    return f"increase({series}[{over}])"


def count_where(condition: str) -> str:
    """Return how many series there are, also when there are none."""
    return f"count({condition}) or vector(0)"


def state_timeline(chosen: Chosen) -> Panel:
    """Return the state of each pipeline over time."""
    of_one = [
        f"{number} * ({chosen.pipelines('hosted_pipeline_state', state=state)} == 1)"
        for number, state in enumerate(STATES)
    ]
    return timeline(
        "State of each pipeline",
        Query("max by (source, pipeline) (\n  " + "\n  or ".join(of_one) + "\n)", "{{source}} / {{pipeline}}"),
        values=tuple(STATES.items()),
        description="As polled. What happened between two polls is in the transitions below.",
    )


def log_panels(chosen: Chosen) -> tuple[Panel, ...]:
    """Return what pipelines say: lines by severity, and who logs errors."""
    lines = "hosted_pipeline_log_lines_total"
    errors = chosen.pipelines(lines, severity="error|fatal")
    return (
        graph(
            "Log lines by severity",
            Query(f"sum by (severity) ({rate(chosen.pipelines(lines))})", "{{severity}}"),
            unit="cps",
            description="Read where there is a destination for logs. `none`: the line does not say.",
        ),
        graph(
            "Errors logged, the ten loudest pipelines",
            Query(f"topk(10, sum by (source, pipeline) ({rate(errors)}))", "{{source}} / {{pipeline}}"),
            unit="cps",
        ),
    )


def quantiles(
    histogram: str, by: str, legend: str, over: str = "$__rate_interval", *, top: float = 0.99
) -> list[Query]:
    """Return the half and the top of a histogram's observations. `by` are labels, `legend` names them."""
    labels = ", ".join(filter(None, (by, "le")))
    name = f"{legend}: " if legend else ""
    return [
        Query(
            f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}[{over}])))",
            f"{name}{round(100 * share)} %",
        )
        for share in (0.5, top)
    ]
