"""The vendor's words as label values: known ones as they are, unknown ones bounded in number and in form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_UNKNOWN: Final = 20
"""So many unknown words of one facet and source become labels of their own."""

OTHER: Final = "other"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)


def is_plain(word: str) -> bool:
    """Whether a word is a plain identifier of at most 64 characters, so that it may become a label value."""
    return _PLAIN.fullmatch(word) is not None


def plain_or_other(word: str) -> str:
    """Return the word if it may become a label value, else `other`."""
    return word if is_plain(word) else OTHER


class Words:
    """Which label value stands for which word, for the facets of one source, and whatever else the vendor has words for.

    A label once given to a word stays: `unknown` is kept in the journal and handed in again after a restart.
    """

    def __init__(self, known: Mapping[str, Sequence[str]], unknown: Mapping[str, Sequence[str]] | None = None) -> None:
        self._known = {facet: frozenset(words) for facet, words in known.items()}
        self.unknown = {facet: list((unknown or {}).get(facet, ())) for facet in known}

    def label(self, facet: str, word: str) -> str:
        """Return the label value for a word of a facet."""
        unknown = self.unknown.setdefault(facet, [])
        if word in self._known.get(facet, ()) or word in unknown:
            return word
        if is_plain(word) and len(unknown) < MAX_UNKNOWN:
            unknown.append(word)
            return word
        return OTHER
