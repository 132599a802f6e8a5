"""Actors, builds and runs as JSON: in lists, and one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.apify.figures import USD_A_COMPUTE_UNIT, USD_A_DATASET_WRITE
from exporter.simulator.apify.identifiers import time_text

if TYPE_CHECKING:
    from exporter.simulator.apify.job import Job
    from exporter.simulator.apify.world import Actor

_NO_BUILD = "HG7ML7M8z78YcAPEB"
_STORAGES = ("defaultKeyValueStoreId", "defaultDatasetId", "defaultRequestQueueId")


def job_item(job: Job) -> dict[str, Any]:
    """Return a job as lists show it; a sparse one lacks what is optional."""
    item: dict[str, Any] = {
        "id": job.id,
        "actId": job.actor.id,
        "userId": job.world.account.id,
        "status": job.status,
        "startedAt": time_text(job.started_us),
        "finishedAt": job.finished_at,
        "buildNumber": job.number,
        "buildNumberInt": _number_int(job.number),
        "meta": {"origin": job.origin},
        "usageTotalUsd": job.usage.usd,
    }
    if job.kind == "run":
        item |= {"actorTaskId": None, "buildId": _build_id(job), **_storages(job)}
    if job.sparse:
        optional = {"userId", "buildNumberInt", "actorTaskId"} | ({"buildNumber"} if job.kind == "run" else {"actId"})
        item = {key: value for key, value in item.items() if key not in optional}
        if item["finishedAt"] is None:
            del item["finishedAt"]
    return item


def job_document(job: Job, *, public: bool = False) -> dict[str, Any]:
    """Return all about a job; to those who only know its id without what it cost."""
    document = {**_common(job), **(_run(job) if job.kind == "run" else _build(job))}
    if public:
        for key in ("usageUsd", "usageTotalUsd"):
            del document[key]
    return document


def actor_item(actor: Actor) -> dict[str, Any]:
    """Return an Actor as lists show it."""
    return {
        "id": actor.id,
        "createdAt": time_text(actor.created_us),
        "modifiedAt": time_text(actor.modified_us),
        "name": actor.name,
        "username": actor.username,
        "title": actor.name.replace("-", " ").title(),
        "stats": _actor_stats(actor),
    }


def actor_document(actor: Actor) -> dict[str, Any]:
    """Return all about an Actor."""
    latest = actor.last_build
    return {
        **actor_item(actor),
        "userId": actor.world.account.id,
        "description": "Simulated",
        "isPublic": False,
        "versions": [{"versionNumber": "0.0", "sourceType": "GIT_REPO", "buildTag": "latest"}],
        "defaultRunOptions": {"build": "latest", "timeoutSecs": 3600, "memoryMbytes": 1024},
        "taggedBuilds": None if latest is None else {"latest": _tagged(latest)},
    }


def _common(job: Job) -> dict[str, Any]:
    usage = job.usage
    return {
        "id": job.id,
        "actId": job.actor.id,
        "userId": job.world.account.id,
        "startedAt": time_text(job.started_us),
        "finishedAt": job.finished_at,
        "status": job.status,
        "meta": {"origin": job.origin},
        "usage": {"ACTOR_COMPUTE_UNITS": usage.compute_units},
        "usageTotalUsd": usage.usd,
        "usageUsd": {"ACTOR_COMPUTE_UNITS": round(usage.compute_units * USD_A_COMPUTE_UNIT, 9)},
        "buildNumber": job.number,
        "stats": {
            "durationMillis": round(job.run_seconds * 1000),
            "runTimeSecs": job.run_seconds,
            "computeUnits": usage.compute_units,
        },
    }


def _build(job: Job) -> dict[str, Any]:
    # The specification's own example names the Actor here.
    act_id = f"{job.actor.username}~{job.actor.name}" if job.sparse else job.actor.id
    return {
        "actId": act_id,
        "options": {"useCache": True, "betaPackages": False, "memoryMbytes": job.memory_mbytes, "diskMbytes": 2048},
        "actVersion": {"sourceType": "GIT_REPO", "buildTag": "latest", "versionNumber": "0.0"},
    }


def _run(job: Job) -> dict[str, Any]:
    common, usage = _common(job), job.usage
    writes_usd = round(usage.dataset_writes * USD_A_DATASET_WRITE, 9)
    return {
        "actorTaskId": None,
        "statusMessage": job.status_message,
        "isStatusMessageTerminal": job.is_over,
        "stats": {
            "inputBodyLen": 43,
            "migrationCount": 0,
            "rebootCount": 0,
            "restartCount": 0,
            "resurrectCount": job.resurrections,
            "memAvgBytes": 120_000_000.5,
            "memMaxBytes": 180_000_000,
            "memCurrentBytes": 0 if job.is_over else 125_000_000,
            "cpuAvgUsage": 12.5,
            "cpuMaxUsage": 80.0,
            "cpuCurrentUsage": 0.0 if job.is_over else 10.0,
            "netRxBytes": 500_000,
            "netTxBytes": 20_000,
            "metamorph": 0,
            **common["stats"],
        },
        "options": {
            "build": "latest",
            "timeoutSecs": 3600,
            "memoryMbytes": job.memory_mbytes,
            "diskMbytes": job.memory_mbytes * 2,
        },
        "buildId": _build_id(job),
        "exitCode": job.exit_code,
        "generalAccess": "ANYONE_WITH_ID_CAN_READ" if job.world.anyone_with_id else "RESTRICTED",
        **_storages(job),
        "containerUrl": f"https://{job.id.lower()}.runs.example.com",
        "usage": {**common["usage"], "DATASET_WRITES": usage.dataset_writes},
        "usageUsd": {**common["usageUsd"], "DATASET_WRITES": writes_usd},
        "platformUsageBillingModel": "USER",
    }


def _build_id(job: Job) -> str:
    return _NO_BUILD if job.build is None else job.build.id


def _storages(job: Job) -> dict[str, str]:
    return dict(zip(_STORAGES, job.storage_ids, strict=True))


def _number_int(number: str) -> int:
    major, minor, build = map(int, number.split("."))
    return (major * 100 + minor) * 100_000 + build


def _tagged(build: Job) -> dict[str, Any]:
    return {
        "buildId": build.id,
        "buildNumber": build.number,
        "finishedAt": build.finished_at,
    }


def _actor_stats(actor: Actor) -> dict[str, Any]:
    stats: dict[str, Any] = {"totalBuilds": actor.total_builds, "totalRuns": actor.total_runs, "totalUsers": 1}
    if actor.last_run_us is not None:
        stats["lastRunStartedAt"] = time_text(actor.last_run_us)
    return stats
