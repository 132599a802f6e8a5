"""The list of pipelines, which comes in pages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.providers.errors import MalformedError
from exporter.providers.goldrush._pipeline import Pipeline, word_of
from exporter.providers.times import parse_rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.providers.errors import ProviderError

_MAX_NAME = 256


@dataclass(slots=True)
class Pages:
    """What the pages of one list show."""

    items: dict[str, Pipeline] = field(default_factory=dict)
    count: int = 0
    malformed: int = 0
    malformed_ids: set[str] = field(default_factory=set)
    unidentified: int = 0
    problem: ProviderError | None = None

    @property
    def whole(self) -> bool:
        """Whether what is missing is gone: nothing is left that could not be read."""
        return self.problem is None and not self.malformed

    def take(self, entries: Iterable[Any]) -> bool:
        """Take in a page. Returns whether it has anything new."""
        before = len(self.items), len(self.malformed_ids), self.unidentified
        self.count += 1
        for entry in entries:
            item = _item(entry)
            if isinstance(item, Pipeline):
                self.items.setdefault(item.id, item)  # a page that has shifted shows some once more
            elif item is None:
                self.unidentified += 1
            else:
                self.malformed_ids.add(item)
        self.malformed = len(self.malformed_ids) + self.unidentified
        return before != (len(self.items), len(self.malformed_ids), self.unidentified)

    def more(self, envelope: Mapping[str, Any]) -> bool | None:
        """Whether the newest page says that another follows; None where it does not say."""
        data = envelope.get("data")
        beside = data if isinstance(data, dict) else {}
        for place in (beside, beside.get("pagination"), envelope.get("pagination"), envelope):
            if isinstance(place, dict):
                more, total = place.get("has_more"), place.get("total_count")
                if isinstance(more, bool):
                    return more
                if isinstance(total, int) and not isinstance(total, bool):
                    return len(self.items) + self.malformed < total
        return None


def entries_of(envelope: Mapping[str, Any], url: str) -> Sequence[Any]:
    """Return the entries of a page. Raises MalformedError when there is no list of them."""
    data = envelope.get("data")
    items = data.get("items") if isinstance(data, dict) else data
    if not isinstance(items, list):
        raise MalformedError(url, "answered without items: a list of pipelines was expected")
    return items


def _item(entry: Any) -> Pipeline | str | None:
    """Read one entry of the list; return its id alone, or None, where more cannot be read."""
    if not isinstance(entry, dict):
        return None
    ids = (entry.get("pipeline_id"), entry.get("id"))
    found = next((one for one in ids if isinstance(one, str) and _is_segment(one)), None)
    if found is None:
        return None
    name, desired = entry.get("name"), entry.get("status")
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME:
        return found
    wish = word_of(desired.upper()) if isinstance(desired, str) else None
    return Pipeline(found, name, wish, _time_ns(entry.get("created_at")), _time_ns(entry.get("updated_at")))


def _is_segment(value: str) -> bool:
    return 0 < len(value) <= _MAX_NAME and value not in {".", ".."}


def _time_ns(value: Any) -> int:
    try:
        return parse_rfc3339_ns(value) if isinstance(value, str) else 0
    except ValueError:
        return 0
