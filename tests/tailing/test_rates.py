"""Log rates for the page."""

from __future__ import annotations

from exporter.tailing.rates import LogRates

A, B = ("s", "a"), ("s", "b")


def test_the_rate_is_that_of_the_last_minute() -> None:
    """It is measured from the older of the last two looks; what no look saw began since."""
    now = 0.0
    lines = {A: 0}
    rates = LogRates(lambda: dict(lines), lambda: now)
    assert None is rates.rate(A, 5)
    rates.look()
    now = 30.0
    lines[A] = 300
    rates.look()
    assert (10.0, 1.0) == (rates.rate(A, 300), rates.rate(B, 30))
    now = 60.0
    rates.look()
    assert (0.0, 2.0) == (rates.rate(A, 300), rates.rate(A, 360))


def test_counts_that_begin_anew() -> None:
    """After a reload the lines of a pipeline are counted from zero, and a rate is never below it."""
    now = 0.0
    rates = LogRates(lambda: {A: 1000}, lambda: now)
    rates.look()
    rates.look()
    now = 10.0

    assert 0.5 == rates.rate(A, 5)
