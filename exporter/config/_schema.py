"""The JSON schema of the configuration, for editors. It accepts what the loader accepts, and `${…}` in every value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.config._models import Config
from exporter.config._types import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Iterable

_VARIABLE = {"$ref": "#/$defs/Variable"}
_ABOUT = ("title", "description", "default", "examples")


def schema(providers: Iterable[str] = PROVIDERS) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12). The names of `providers` are offered; a plug-in's may be any other."""
    made = Config.model_json_schema()
    definitions = made["$defs"]
    for definition in definitions.values():
        _tidy(definition)
    _tidy(made)
    definitions.pop("Identity", None)
    definitions["Variable"] = {
        "description": "Text with ${NAME} or ${NAME:-default} in it",
        "type": "string",
        "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}",
    }
    for block in ("Source", "SourceDefaults"):
        definitions[block]["properties"]["api_key"]["anyOf"][0]["minLength"] = 1
    source = definitions["Source"]
    source["required"] = ["name", "provider"]
    provider = source["properties"]["provider"]
    del provider["type"]
    provider["anyOf"] = [{"enum": sorted(providers)}, {"type": "string", "description": "A plug-in's name"}]
    own_url = {"properties": {"provider": {"enum": ["apify", "goldrush"]}}, "required": ["provider"]}
    source["if"], source["else"] = own_url, {"required": ["url"]}
    otlp = definitions["Otlp"]
    otlp["required"] = []
    otlp["properties"]["endpoint"]["default"] = "http://127.0.0.1:4318"
    made["properties"]["otlp"] = {"$ref": "#/$defs/Otlp", "description": made["properties"]["otlp"]["description"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "Configuration of pipeline-exporter",
    }


def _tidy(block: dict[str, Any]) -> None:
    """Let variables stand for the values of a block's keys, and leave out what only repeats other parts."""
    block.pop("title", None)
    block["properties"] = {name: _property(value) for name, value in block.get("properties", {}).items()}


def _property(value: dict[str, Any]) -> dict[str, Any]:
    about = {name: value[name] for name in _ABOUT if name in value and name != "title"}
    core = {name: part for name, part in value.items() if name not in _ABOUT}
    if isinstance(about.get("default"), dict):
        # The defaults of a block are those of its keys.
        del about["default"]
    if core.get("type") in ("boolean", "integer", "number") or (
        core.get("type") == "string" and core.keys() & {"pattern", "enum", "const"}
    ):
        core = {"anyOf": [core, _VARIABLE]}
    return about | core
