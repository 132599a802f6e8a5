"""Words become labels as they are, as far as they are bounded."""

from __future__ import annotations

import pytest

from exporter.status.words import Words, is_plain, plain_or_other


def words() -> Words:
    """Make the words of one facet."""
    return Words({"runtime": ("Running", "TIMED-OUT")})


def test_known_words_stay() -> None:
    """A known word is its own label, also one that is no plain identifier."""
    assert [words().label("runtime", word) for word in ("Running", "TIMED-OUT")] == ["Running", "TIMED-OUT"]


def test_the_first_twenty_unknown_words_become_labels() -> None:
    """Unknown plain words become labels of their own until there are 20, and keep them."""
    known = words()
    labels = [known.label("runtime", f"New{number}") for number in range(25)]
    assert labels == [*(f"New{number}" for number in range(20)), *["other"] * 5]
    assert known.label("runtime", "New3") == "New3"


def test_labels_outlive_a_restart() -> None:
    """Words handed in again are labels still, also when there are 20 of them."""
    before = words()
    for number in range(20):
        before.label("runtime", f"New{number}")
    after = Words({"runtime": ("Running",)}, before.unknown)
    assert (after.label("runtime", "New19"), after.label("runtime", "Newer")) == ("New19", "other")


@pytest.mark.parametrize("word", ["", "two words", "a-b", "1st", "ünknown", "x" * 65, "line\nbreak", 'quo"te'])
def test_words_that_are_no_plain_identifiers(word: str) -> None:
    """What is no plain identifier of at most 64 characters reads `other`."""
    assert (False, "other", "other") == (is_plain(word), plain_or_other(word), words().label("runtime", word))
