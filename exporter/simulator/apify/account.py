"""The account of a user: what it may use and what it used, this month and by day."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from exporter.simulator.apify.figures import USD_A_COMPUTE_UNIT, USD_A_DATASET_WRITE, Usage
from exporter.simulator.apify.identifiers import date_text, new_id, time_text

if TYPE_CHECKING:
    from exporter.simulator.apify.world import ApifyWorld

_LIMITS: dict[str, int | float] = {
    "maxMonthlyUsageUsd": 300,
    "maxMonthlyActorComputeUnits": 1000,
    "maxMonthlyExternalDataTransferGbytes": 7,
    "maxMonthlyProxySerps": 50,
    "maxMonthlyResidentialProxyGbytes": 0.5,
    "maxActorMemoryGbytes": 128,
    "maxActorCount": 100,
    "maxActorTaskCount": 1000,
    "maxConcurrentActorJobs": 256,
    "maxTeamAccountSeatCount": 9,
    "dataRetentionDays": 90,
    "maxScheduleCount": 100,
}
_FEATURES = (
    "ACTORS",
    "STORAGE",
    "SCHEDULER",
    "PROXY",
    "PROXY_EXTERNAL_ACCESS",
    "PROXY_RESIDENTIAL",
    "PROXY_SERPS",
    "WEBHOOKS",
    "ACTORS_PUBLIC_ALL",
    "ACTORS_PUBLIC_DEVELOPER",
)


class Account:
    """One user. `limits` and `extra` may be changed: what they hold is answered as it is."""

    def __init__(self, world: ApifyWorld, username: str) -> None:
        self._world = world
        self.id = new_id(world.random)
        self.username = username
        self.created_us = world.now_us
        self.limits: dict[str, Any] = dict(_LIMITS)
        self.extra: dict[str, Any] = {}
        """Replaces figures of `current`."""
        self._days: dict[str, Usage] = defaultdict(Usage)

    def use(self, at_us: int, usage: Usage) -> None:
        """Put something on the bill of a day."""
        day = date_text(at_us)
        self._days[day] = self._days[day].plus(usage)

    def limits_document(self) -> dict[str, Any]:
        """Return limits and use of the current month."""
        world = self._world
        first, last = _cycle(date_text(world.now_us))
        used = self._total(first, last)
        active = [job for kind in ("run", "build") for job in world.jobs(kind) if not job.is_over]
        current = {
            "monthlyUsageUsd": used.usd,
            "monthlyActorComputeUnits": used.compute_units,
            "monthlyExternalDataTransferGbytes": 0.25,
            "monthlyProxySerps": 0,
            "monthlyResidentialProxyGbytes": 0.0,
            "actorMemoryGbytes": sum(job.memory_mbytes for job in active) / 1024,
            "actorCount": sum(actor.username == self.username for actor in world.actors.values()),
            "actorTaskCount": 0,
            "activeActorJobCount": len(active),
            "teamAccountSeatCount": 1,
            "scheduleCount": 0,
            **self.extra,
        }
        cycle = {"startAt": f"{first}T00:00:00.000Z", "endAt": f"{last}T23:59:59.999Z"}
        return {"monthlyUsageCycle": cycle, "limits": self.limits, "current": current}

    def usage_document(self, day: str) -> dict[str, Any]:
        """Return what was used in the month of a day."""
        first, last = _cycle(day)
        used = self._total(first, last)
        return {
            "usageCycle": {"startAt": f"{first}T00:00:00.000Z", "endAt": f"{last}T23:59:59.999Z"},
            "monthlyServiceUsage": _services(used),
            "dailyServiceUsages": [
                {
                    "date": f"{day}T00:00:00.000Z",
                    "serviceUsage": _services(usage),
                    "totalUsageCreditsUsd": usage.usd,
                }
                for day, usage in sorted(self._days.items())
                if first <= day <= last
            ],
            "totalUsageCreditsUsdBeforeVolumeDiscount": used.usd,
            "totalUsageCreditsUsdAfterVolumeDiscount": used.usd,
        }

    def document(self) -> dict[str, Any]:
        """Return the user."""
        feature = {
            "isEnabled": True,
            "disabledReason": None,
            "disabledReasonType": None,
            "isTrial": False,
            "trialExpirationAt": None,
        }
        return {
            "id": self.id,
            "username": self.username,
            "profile": {"name": self.username, "bio": None, "pictureUrl": None},
            "email": f"{self.username}@example.com",
            "proxy": {"password": "not-a-secret", "groups": []},
            "plan": {"id": "SIMULATED", "isEnabled": True, "availableProxyGroups": {"DATACENTER": 5}},
            "effectivePlatformFeatures": dict.fromkeys(_FEATURES, feature),
            "createdAt": time_text(self.created_us),
            "isPaying": True,
        }

    def _total(self, first: str, last: str) -> Usage:
        total = Usage()
        for day, usage in self._days.items():
            if first <= day <= last:
                total = total.plus(usage)
        return total


def _cycle(day: str) -> tuple[str, str]:
    """Return first and last day of the month of a day."""
    year, month = int(day[:4]), int(day[5:7])
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return f"{day[:7]}-01", date_text(round(following.timestamp() - 1) * 1_000_000)


def _services(used: Usage) -> dict[str, Any]:
    return {
        "ACTOR_COMPUTE_UNITS": _item(used.compute_units, USD_A_COMPUTE_UNIT),
        "DATASET_WRITES": _item(used.dataset_writes, USD_A_DATASET_WRITE),
    }


def _item(quantity: float, unit_usd: float) -> dict[str, Any]:
    usd = round(quantity * unit_usd, 9)
    return {
        "quantity": quantity,
        "baseAmountUsd": usd,
        "baseUnitPriceUsd": unit_usd,
        "amountAfterVolumeDiscountUsd": usd,
        "priceTiers": [],
    }
