"""What can go wrong between Apify and its client, in its own words."""

from __future__ import annotations

from exporter.simulator.apify.answers import failure, too_many
from exporter.simulator.faults import FAULTS, Fault

_SHARED = (
    "bad_gateway",
    "gateway_timeout",
    "slow",
    "silent",
    "cut_before",
    "cut_middle",
    "garbage",
    "html",
    "truncated",
    "empty",
)

APIFY_FAULTS: dict[str, Fault] = {
    "rate_limited": Fault(too_many(None)),
    "rate_limited_wait": Fault(too_many(1)),
    "server_error": Fault(failure(500, "internal-server-error", "Internal server error")),
    **{name: FAULTS[name] for name in _SHARED},
}
"""Drawn by chance, and to be ordered."""

APIFY_REFUSALS: dict[str, Fault] = {
    "unauthorized": Fault(failure(401, "token-not-valid", "Authentication token is not valid")),
    "forbidden": Fault(failure(403, "insufficient-permissions", "You do not have permission to perform this action")),
    "not_found": Fault(failure(404, "record-not-found", "The requested resource was not found")),
}
"""Only to be ordered."""
