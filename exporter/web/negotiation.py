"""Which form of an answer a client asked for. Pure functions of header values, lenient with everything junk.

A scrape is never answered with 406: a client that excludes all that there is gets plain text, as from Prometheus's own
libraries, because a target that answers is worth more than one that is right about a header.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_OPENMETRICS_VERSIONS = frozenset({"", "1.0.0"})
"""0.0.1 is not among them: its rules differ, and whoever asks for it takes text too."""
_TEXT_VERSIONS = frozenset({"", "0.0.4"})
_ESCAPINGS = frozenset({"allow-utf-8", "underscores", "dots", "values"})
_MAX_CHARACTERS = 4096
"""What comes later in a header is not looked at: the loop must not wait for a hostile one."""
_ITEM = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')
_PARAMETER = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*")+')
_QUALITY = re.compile(r"(?:0(?:\.[0-9]*)?|\.[0-9]+|1(?:\.0*)?)", re.ASCII)


class Exposition(NamedTuple):
    """The form in which a scrape is answered."""

    openmetrics: bool
    content_type: str


class _Range(NamedTuple):
    value: str
    quality: float
    parameters: Mapping[str, str]


class _Offer(NamedTuple):
    """How much a client wants something. Greater is better; at equal quality an explicit name beats a wildcard."""

    quality: float = 0.0
    specificity: int = -1
    earliness: int = 0
    escaping: str = ""


def exposition(accept: str) -> Exposition:
    """Choose text or OpenMetrics for an Accept header, '' where there is none."""
    text = openmetrics = _Offer()
    for place, item in enumerate(_ranges(accept)):
        if item.value == "application/openmetrics-text":
            if item.parameters.get("version", "") in _OPENMETRICS_VERSIONS:
                openmetrics = max(openmetrics, _explicit(item, place), key=_merit)
        elif item.value == "text/plain":
            if item.parameters.get("version", "") in _TEXT_VERSIONS:
                text = max(text, _explicit(item, place), key=_merit)
        elif item.value in {"*/*", "text/*"}:
            text = max(text, _Offer(item.quality, int(item.value == "text/*"), -place), key=_specificity)
    if openmetrics.quality > 0 and _preference(openmetrics) > _preference(text):
        return Exposition(openmetrics=True, content_type=OPENMETRICS + openmetrics.escaping)
    return Exposition(openmetrics=False, content_type=TEXT)


def gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header, '' where there is none, asks for gzip at least as much as for none."""
    qualities: dict[str, float] = {}
    for item in _ranges(accept_encoding):
        name = "gzip" if item.value == "x-gzip" else item.value
        qualities[name] = max(item.quality, qualities.get(name, 0.0))
    others = qualities.get("*", 0.0)
    wanted = qualities.get("gzip", others)
    return wanted > 0 and wanted >= qualities.get("identity", 0.0)


def _explicit(item: _Range, place: int) -> _Offer:
    # All names here are plain, so any scheme is kept; saying it is what client_golang and prometheus-client do.
    escaping = item.parameters.get("escaping", "")
    return _Offer(item.quality, 2, -place, f"; escaping={escaping}" if escaping in _ESCAPINGS else "")


def _merit(offer: _Offer) -> tuple[int, float, int]:
    return offer.specificity, offer.quality, offer.earliness


def _specificity(offer: _Offer) -> int:
    return offer.specificity


def _preference(offer: _Offer) -> tuple[float, int, int]:
    return offer.quality, offer.specificity, offer.earliness


def _ranges(header: str) -> Iterator[_Range]:
    """Give the items of a header that are well formed."""
    for item in _ITEM.findall(header[:_MAX_CHARACTERS]):
        value, _, rest = item.partition(";")
        parameters = {}
        for part in _PARAMETER.findall(rest):
            name, _, argument = part.partition("=")
            parameters[name.strip().lower()] = argument.strip().strip('"')
        quality = parameters.get("q", "1")
        if _QUALITY.fullmatch(quality):
            yield _Range(value.strip().lower(), float(quality), parameters)
