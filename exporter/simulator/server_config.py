"""The document of `/v0/config`."""

from __future__ import annotations

from typing import Any

_REVISION = "5c7931d09fc37e0976143e50a81169dbd98ec0cc"
_BUILD_INFO = {
    "build_timestamp": "2026-11-21T07:26:36.287691642Z",
    "build_cpu": "AMD EPYC",
    "build_os": "Linux (Debian GNU/Linux 12)",
    "cargo_dependencies": "",
    "cargo_features": "",
    "cargo_debug": "false",
    "cargo_opt_level": "0",
    "cargo_target_triple": "x86_64-unknown-linux-gnu",
    "rustc_version": "1.95.0",
}


def config_document(version: str, *, newest: bool) -> dict[str, Any]:
    """Return what a server of that version says of itself; the `newest` know one key more."""
    document: dict[str, Any] = {
        "posthog": "",
        "conceptualhq": "",
        "product_fruits": "",
        "edition": "Open source",
        "version": version,
        "revision": _REVISION,
        "runtime_revision": _REVISION,
        "unstable_features": None,
        "changelog_url": f"https://github.com/feldera/feldera/releases/tag/v{version}",
        "license_validity": None,
        "update_info": None,
        "build_info": _BUILD_INFO,
        "build_source": "source",
    }
    return {**document, "allow_rust_udfs": True} if newest else document
