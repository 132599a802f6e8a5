"""Names of their own for pipelines of which several may have one name."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.providers.goldrush._pipeline import Pipeline


def give_names(pipelines: Iterable[Pipeline], given: Mapping[str, str], *, keep: bool) -> None:
    """Give each pipeline a name of its own: of several with one name the oldest has it, unless it was given before.

    `keep`: names of pipelines that are not seen now are not free either.
    """
    there = {one.id: one for one in pipelines}
    taken = {name for pipeline_id, name in given.items() if keep and pipeline_id not in there}
    unnamed = []
    for one in there.values():
        name = one.name or given.get(one.id, "")
        if _is_name_of(one, name) and name not in taken:
            one.name = name
            taken.add(name)
        else:
            unnamed.append(one)
    for one in sorted(unnamed, key=lambda one: (one.created_ns or math.inf, one.id)):
        one.name = one.called
        while one.name in taken:
            one.name += f" ({one.id})"
        taken.add(one.name)


def _is_name_of(pipeline: Pipeline, name: str) -> bool:
    """Whether a name was made from the one that the vendor gives the pipeline now."""
    while name != pipeline.called and name.endswith(f" ({pipeline.id})"):
        name = name.removesuffix(f" ({pipeline.id})")
    return name == pipeline.called
