"""HTML from templates that escape whatever they are filled with."""

from __future__ import annotations

import html
import re
from importlib import resources

_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, and those that turn the direction of the text around them, with which a name can look like
another."""
_FRAGMENT = re.compile(r"^<!-- # (\w+) -->\n", re.MULTILINE)


class Html(str):
    """Text that is HTML already. Everything else is escaped where it is put in."""

    __slots__ = ()


def escape(value: object) -> Html:
    """Make HTML of anything; HTML stays as it is."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(_UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", str(value))))


def join(parts: list[Html]) -> Html:
    """Put HTML together."""
    return Html("".join(parts))


class Templates:
    """The fragments of a template file, each begun by a line `<!-- # name -->`, with `{name}` for what is filled in."""

    def __init__(self, text: str) -> None:
        _, *rest = _FRAGMENT.split(text)
        self._fragments = dict(zip(rest[::2], rest[1::2], strict=True))

    def fill(self, fragment: str, /, **values: object) -> Html:
        """Fill a fragment; every value is escaped unless it is HTML."""
        return Html(self._fragments[fragment].format_map({name: escape(value) for name, value in values.items()}))


def resource(name: str) -> str:
    """Read a text file that lies beside this module."""
    return resources.files(__package__).joinpath(name).read_text("utf-8")
