"""A small checker for the part of JSON schema that our schema uses; an unknown keyword is an error of the test."""

from __future__ import annotations

import re
from typing import Any

_ABOUT = {"$schema", "$defs", "title", "description", "default", "examples", "format", "writeOnly"}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
}


def errors(value: Any, schema: dict[str, Any], root: dict[str, Any], path: str = "$") -> list[str]:
    """Return why a value is not valid; empty when it is."""
    found = []
    for keyword, wanted in schema.items():
        if keyword not in _ABOUT and keyword not in ("if", "else"):
            check = globals()[f"_check_{keyword.lstrip('$')}"]
            found += check(value, wanted, root, path, schema)
    if "if" in schema and errors(value, schema["if"], root):
        found += errors(value, schema["else"], root, path)
    return found


def _check_ref(value: Any, wanted: str, root: dict[str, Any], path: str, _schema: Any) -> list[str]:
    return errors(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, path)


def _check_anyOf(value: Any, wanted: list[Any], root: dict[str, Any], path: str, _schema: Any) -> list[str]:  # noqa: N802 - the keyword's name
    return [] if any(not errors(value, one, root) for one in wanted) else [f"{path}: {value!r} fits none"]


def _check_type(value: Any, wanted: str, _root: Any, path: str, _schema: Any) -> list[str]:
    fits = isinstance(value, _TYPES[wanted]) and not (wanted == "integer" and isinstance(value, bool))
    return [] if fits else [f"{path}: {value!r} is no {wanted}"]


def _check_properties(value: Any, wanted: dict[str, Any], root: dict[str, Any], path: str, _schema: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    return [error for key in value.keys() & wanted for error in errors(value[key], wanted[key], root, f"{path}.{key}")]


def _check_additionalProperties(value: Any, wanted: Any, root: dict[str, Any], path: str, schema: Any) -> list[str]:  # noqa: N802 - the keyword's name
    others = value.keys() - schema.get("properties", {}) if isinstance(value, dict) else ()
    if wanted is False:
        return [f"{path}.{key}: unknown" for key in others]
    return [error for key in others for error in errors(value[key], wanted, root, f"{path}.{key}")]


def _check_propertyNames(value: Any, wanted: Any, root: dict[str, Any], path: str, _schema: Any) -> list[str]:  # noqa: N802 - the keyword's name
    return [error for key in value for error in errors(key, wanted, root, path)]


def _check_required(value: Any, wanted: list[str], _root: Any, path: str, _schema: Any) -> list[str]:
    return [f"{path}.{key}: missing" for key in wanted if isinstance(value, dict) and key not in value]


def _check_items(value: Any, wanted: Any, root: dict[str, Any], path: str, _schema: Any) -> list[str]:
    return (
        [error for item in value for error in errors(item, wanted, root, f"{path}[]")]
        if isinstance(value, list)
        else []
    )


def _check_enum(value: Any, wanted: list[str], _root: Any, path: str, _schema: Any) -> list[str]:
    return [] if value in wanted else [f"{path}: {value!r} is none of {wanted}"]


def _check_pattern(value: Any, wanted: str, _root: Any, path: str, _schema: Any) -> list[str]:
    return [] if not isinstance(value, str) or re.search(wanted, value) else [f"{path}: {value!r} is not {wanted}"]


def _check_minItems(value: Any, wanted: int, _root: Any, path: str, _schema: Any) -> list[str]:  # noqa: N802 - the keyword's name
    return [] if not isinstance(value, list) or len(value) >= wanted else [f"{path}: too few"]


def _check_minLength(value: Any, wanted: int, _root: Any, path: str, _schema: Any) -> list[str]:  # noqa: N802 - the keyword's name
    return [] if not isinstance(value, str) or len(value) >= wanted else [f"{path}: too short"]


def _check_minimum(value: Any, wanted: int, _root: Any, path: str, _schema: Any) -> list[str]:
    return [] if not isinstance(value, int) or value >= wanted else [f"{path}: {value} < {wanted}"]


def _check_maximum(value: Any, wanted: int, _root: Any, path: str, _schema: Any) -> list[str]:
    return [] if not isinstance(value, int) or value <= wanted else [f"{path}: {value} > {wanted}"]
