"""The JSON schema for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.config import schema
from exporter.config._nodes import _Loader
from tests.config.cases import FOLDER, GOOD
from tests.config.schema_check import errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTATION = FOLDER.parent.parent / "docs" / "configuration.md"


def keys(block: dict[str, Any], root: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the path and the schema of every key."""
    block = root["$defs"][block["$ref"].rpartition("/")[2]] if "$ref" in block else block
    if "items" in block:
        yield from keys(block["items"], root, f"{path}[]")
    for name, value in block.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, value
        yield from keys(value, root, below)


def read(file: Path) -> Any:
    """Return the plain data of a file, as an editor sees it."""
    return yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_accepts_good_files(file: Path) -> None:
    """What the loader accepts, the schema accepts too, with variables in it."""
    made = schema()

    assert [] == errors(read(file), made, made)


@pytest.mark.parametrize(
    "name",
    [
        "unknown-key-deep",
        "interval-no-unit",
        "url-missing",
        "key-empty-text",
        "budget-no-unit",
        "otlp-protocol",
        "max-streams",
        "tls-null",
    ],
)
def test_refuses_bad_files(name: str) -> None:
    """An editor shows unknown keys, missing keys, wrong types and missing units."""
    made = schema()

    assert errors(read(FOLDER / "bad" / f"{name}.yaml"), made, made)


def test_form() -> None:
    """The schema says which draft it is, every key is described, and no block takes unknown keys."""
    made = schema()

    assert "https://json-schema.org/draft/2020-12/schema" == made["$schema"]
    assert [] == [path for path, value in keys(made, made) if not value.get("description")]
    blocks = [made, *(block for block in made["$defs"].values() if "properties" in block)]
    assert [] == [block for block in blocks if block["additionalProperties"] is not False]


def test_offers_providers() -> None:
    """An editor offers the providers that are there, and takes a plug-in's name and a variable."""
    made = schema(["mine", "feldera"])
    provider = made["$defs"]["Source"]["properties"]["provider"]

    assert {"enum": ["feldera", "mine"]} == provider["anyOf"][0]
    assert [] == [name for name in ("mine", "another", "${NAME}") if errors(name, provider, made)]


def test_full_example_has_every_key() -> None:
    """The example with every key and the schema have the same keys."""
    made = schema()
    written = set(_paths(read(FOLDER / "good" / "full.yaml")))
    known = {path for path, _ in keys(made, made)}

    assert {path for path in known if not path.startswith("defaults.")} - written == _TLS_OF_OTLP | {
        "sources[].api_key"
    }
    assert written - known == {"sources[].attributes.deployment.environment.name"}


_TLS_OF_OTLP = {f"otlp.tls.{key}" for key in ("ca_file", "cert_file", "key_file", "insecure_skip_verify")}


def _paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, inner in value.items():
            below = f"{path}.{name}" if path else name
            yield below
            yield from _paths(inner, below)


def test_documented() -> None:
    """Every key stands in a table of the documentation, with its default where that is one value."""
    made = schema()
    documentation = DOCUMENTATION.read_text(encoding="utf-8")
    rows = [line for line in documentation.splitlines() if line.startswith("| `")]
    documented = {row.split("`")[1]: row.split("|")[2].strip() for row in rows}

    for path, value in keys(made, made):
        if path.startswith(("defaults.", "otlp.tls.")):
            continue
        name = path.removeprefix("sources[].")
        assert name in documented, path
        default = value.get("default")
        if isinstance(default, str | int) and name not in ("budget", "otlp.endpoint"):
            shown = str(default).lower() if isinstance(default, bool) else str(default)
            assert f"`{shown}`" == documented[name], path
