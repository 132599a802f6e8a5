"""The query of a request, read as Apify reads it: unknown parameters are ignored, bad values refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

from exporter.simulator.apify.answers import RefusedError, failure
from exporter.simulator.apify.identifiers import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

_LARGEST_PAGE = 1000
# The specification has them as doubles.
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")
_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


class Query:
    """The parameters of one request; of several with one name the last counts."""

    def __init__(self, raw: str, *, public: bool = False) -> None:
        self.public = public
        """Whether it came without a token that is known."""
        self._values = dict(parse_qsl(raw, keep_blank_values=True))

    def text(self, name: str) -> str | None:
        """Return a parameter that is there and not empty."""
        return self._values.get(name) or None

    def flag(self, name: str) -> bool:
        """Return whether a parameter is `true` or `1`."""
        return self._values.get(name, "").lower() in {"1", "true"}

    def number(self, name: str, default: int) -> int:
        """Return a whole number that is not negative. Raises `RefusedError`."""
        text = self.text(name)
        if text is None:
            return default
        if _NUMBER.fullmatch(text) is None:
            raise _bad(name, text, "a number that is not negative")
        return int(float(text))

    def time_us(self, name: str) -> int | None:
        """Return a moment. Raises `RefusedError`."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return read_time(text)
        except ValueError as error:
            raise _bad(name, text, "an ISO 8601 date and time") from error

    def day(self, name: str) -> str | None:
        """Return a day. Raises `RefusedError`."""
        text = self.text(name)
        if text is not None and _DAY.fullmatch(text) is None:
            raise _bad(name, text, "a date in the format YYYY-MM-DD")
        return text

    def words(self, name: str) -> set[str]:
        """Return the words of a comma list."""
        return set(filter(None, (self.text(name) or "").split(",")))

    def page(self, found: Sequence[T], shown: Callable[[T], Any]) -> dict[str, Any]:
        """Return the page that is asked for, out of all that was found, oldest first."""
        offset = self.number("offset", 0)
        limit = min(self.number("limit", _LARGEST_PAGE) or _LARGEST_PAGE, _LARGEST_PAGE)
        desc = self.flag("desc")
        ordered = found[::-1] if desc else found
        items = [shown(one) for one in ordered[offset : offset + limit]]
        return {
            "total": len(found),
            "offset": offset,
            "limit": limit,
            "desc": desc,
            "count": len(items),
            "items": items,
        }


def _bad(name: str, value: str, wanted: str) -> RefusedError:
    return RefusedError(failure(400, "invalid-parameter", f"Parameter '{name}' is '{value}', which is not {wanted}"))
