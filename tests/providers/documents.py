"""Documents as the server writes them, for tests to change."""

from __future__ import annotations

from typing import Any

import msgspec

ID = "01a1fd04-04f5-74b3-af6a-22cf3e312fe8"
SINCE = "2026-11-21T07:31:01.469438Z"


def pipeline(**changes: Any) -> dict[str, Any]:
    """Return a pipeline's entry of the list: stopped as wanted, unless told otherwise."""
    entry: dict[str, Any] = {
        "id": ID,
        "name": "orders",
        "description": "",
        "tags": [],
        "created_at": "2026-11-21T07:31:00Z",
        "version": 2,
        "platform_version": "0.337.0",
        "program_config": {"profile": "optimized"},
        "program_version": 1,
        "program_status": "Success",
        "program_status_since": "2026-11-21T07:31:01Z",
        "deployment_error": None,
        "refresh_version": 4,
        "storage_status": "Cleared",
        "storage_status_details": None,
        "deployment_id": None,
        "deployment_initial": None,
        "deployment_status": "Stopped",
        "deployment_status_since": SINCE,
        "deployment_desired_status": "Stopped",
        "deployment_desired_status_since": SINCE,
        "deployment_resources_status": "Stopped",
        "deployment_resources_status_since": SINCE,
        "deployment_resources_desired_status": "Stopped",
        "deployment_resources_desired_status_since": SINCE,
        "deployment_runtime_status": None,
        "deployment_runtime_status_details": None,
        "deployment_runtime_status_since": None,
        "deployment_runtime_desired_status": None,
        "deployment_runtime_desired_status_since": None,
        "bootstrap_policy": None,
    }
    return entry | changes


def running(runtime: str | None = "Running", wanted: str | None = "Running", **changes: Any) -> dict[str, Any]:
    """Return a provisioned pipeline's entry of the list."""
    provisioned = {
        "deployment_resources_status": "Provisioned",
        "deployment_resources_desired_status": "Provisioned",
        "deployment_runtime_status": runtime,
        "deployment_runtime_desired_status": wanted,
    }
    return pipeline(**provisioned | changes)


def event(**changes: Any) -> dict[str, Any]:
    """Return an event with the nine keys of `selector=status`."""
    entry: dict[str, Any] = {
        "event_id": ID,
        "recorded_at": SINCE,
        "deployment_resources_status": "Provisioned",
        "deployment_resources_desired_status": "Provisioned",
        "deployment_runtime_status": "Running",
        "deployment_runtime_desired_status": "Running",
        "deployment_has_error": False,
        "program_status": "Success",
        "storage_status": "InUse",
    }
    return entry | changes


def health(*, checked_at: str = SINCE, stale: bool | None = None, **unhealthy: str) -> dict[str, Any]:
    """Return the cluster's health; `unhealthy` gives the messages of those that are not well."""
    parts = {
        name: {
            "healthy": name not in unhealthy,
            "message": unhealthy.get(name, ""),
            "unchanged_since": SINCE,
            "checked_at": checked_at,
        }
        for name in ("api", "compiler", "runner")
    }
    flag = {} if stale is None else {"stale": stale, "stale_after_seconds": 900}
    return {"all_healthy": not unhealthy} | parts | flag


def encoded(document: Any) -> bytes:
    """Return a document as JSON."""
    return msgspec.json.encode(document)
