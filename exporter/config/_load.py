"""From a file to a `Config`, or to one error that says everything that is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from exporter.config._errors import ConfigError, Problem
from exporter.config._models import Config
from exporter.config._nearest import nearest
from exporter.config._nodes import Key, Node, joined, merged, read
from exporter.config._types import PROVIDERS, Context, MisplacedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

ModelT = TypeVar("ModelT", bound=BaseModel)

_ONLY_IN_SOURCES = ("name", "provider", "url")
_MESSAGES = {
    "missing": "this key is needed; add it",
    "string_too_short": "{value} is empty; give a value or leave the key out",
    "tuple_type": "{value} stands where a list is needed; write [ … ] or lines that begin with '-'",
    "mapping_type": "{value} stands where a mapping is needed; write keys with values below it",
    "dict_type": "{value} stands where a mapping is needed; write keys with values below it",
    "model_type": "{value} stands where a mapping is needed; write keys with values below it",
}


def load(path: Path, environ: Mapping[str, str], providers: frozenset[str] = PROVIDERS) -> Config:
    """Return the configuration of a file, with variables from `environ`.

    Raises ConfigError with every problem found. Relative paths begin at the file's folder.
    """
    root, problems = read_tree(path, environ)
    if isinstance(root.value, dict):
        problems += _source_problems(root)
        root = _with_defaults(root)
    return validated(Config, root, problems, path, Context(path.absolute().parent, providers))


def read_tree(path: Path, environ: Mapping[str, str] | None) -> tuple[Node, list[Problem]]:
    """Return the tree of a file and its problems. Raises ConfigError where there is no tree."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(path, [Problem(1, 1, "", f"the file cannot be read: {error.strerror}")]) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        problem = Problem(
            line, column, "", f"the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8"
        )
        raise ConfigError(path, [problem]) from None
    root, problems = read(text, environ)
    if root is None:
        raise ConfigError(path, problems)
    return root, problems


def validated(model: type[ModelT], root: Node, problems: list[Problem], path: Path, context: Context) -> ModelT:
    """Return the model made of a tree. Raises ConfigError with the problems given and those found."""
    try:
        result = model.model_validate(root.plain(), context=context)
    except ValidationError as error:
        known = {(problem.line, problem.column) for problem in problems}
        found = (_problem(details, root, model) for details in error.errors(include_url=False, include_input=False))
        problems = problems + [problem for problem in found if (problem.line, problem.column) not in known]
        raise ConfigError(path, problems) from None
    if problems:
        raise ConfigError(path, problems)
    return result


def _source_problems(root: Node) -> list[Problem]:
    """Return what only shows across sources: names given twice, keys that `defaults` must not have."""
    problems = []
    defaults, sources = root.child("defaults"), root.child("sources")
    if defaults and isinstance(defaults.value, dict):
        for name in _ONLY_IN_SOURCES:
            if key := defaults.value.get(name):
                message = f"{name!r} is not possible in defaults; give it in each source"
                problems.append(Problem(key.line, key.column, key.node.path, message))
    first: dict[str, Node] = {}
    for source in sources.value if sources and isinstance(sources.value, list) else ():
        name_node = source.child("name")
        if name_node and isinstance(name_node.value, str):
            other = first.setdefault(name_node.value, name_node)
            if other is not name_node:
                problems.append(
                    name_node.problem(f"{{value}} is the name of the source on line {other.line} too; names are unique")
                )
    return problems


def _with_defaults(root: Node) -> Node:
    """Return the tree with `defaults` merged into each source."""
    defaults, sources = root.child("defaults"), root.child("sources")
    if not defaults or not sources or not isinstance(defaults.value, dict) or not isinstance(sources.value, list):
        return root
    assert isinstance(root.value, dict)  # noqa: S101 - it has children
    keys = {name: key for name, key in defaults.value.items() if name not in _ONLY_IN_SOURCES}
    shared = replace(defaults, value=keys)
    new = replace(sources, value=[_merged_source(shared, source) for source in sources.value])
    return replace(root, value=root.value | {"sources": replace(root.value["sources"], node=new)})


def _merged_source(defaults: Node, source: Node) -> Node:
    """Return a source with the defaults; its own api_key replaces an api_key_file of the defaults, and the reverse."""
    pair = ("api_key", "api_key_file")
    if isinstance(defaults.value, dict) and isinstance(source.value, dict) and any(key in source.value for key in pair):
        defaults = replace(defaults, value={name: key for name, key in defaults.value.items() if name not in pair})
    return merged(defaults, source)


def _problem(details: ErrorDetails, root: Node, model: type[BaseModel]) -> Problem:
    cause = details.get("ctx", {}).get("error")
    location = details["loc"]
    if isinstance(cause, MisplacedError):
        location = (*location, cause.key)
    node, key, rest = _find(root, location)
    kind = details["type"]
    if kind == "extra_forbidden" and key is not None:
        name = str(location[-1])
        message = f"unknown key {name!r}{nearest(name, _known_keys(model, location[:-1]))}"
        return Problem(key.line, key.column, node.path, message)
    message = str(cause) if isinstance(cause, ValueError) else _MESSAGES.get(kind, details["msg"])
    if location[-1:] == ("[key]",) and key is not None:
        return Problem(key.line, key.column, node.path, message.replace("{value}", repr(str(location[-2]))))
    path = node.path
    for part in rest:
        path = joined(path, str(part))
    return replace(node.problem(message), path=path)


def _find(root: Node, location: tuple[int | str, ...]) -> tuple[Node, Key | None, tuple[int | str, ...]]:
    """Return the node of a location, its key, and the part of the location that the file does not have."""
    node, key = root, None
    for index, part in enumerate(location):
        if isinstance(node.value, dict) and part in node.value:
            key = node.value[str(part)]
            node = key.node
        elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
            node, key = node.value[part], None
        elif part == "[key]" or isinstance(part, int):
            break
        else:
            return node, key, location[index:]
    return node, key, ()


def _known_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that a block can have."""
    for part in location:
        if part in model.model_fields:
            model = _block(model.model_fields[str(part)].annotation) or model
    return list(model.model_fields)


def _block(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((block for part in get_args(annotation) if (block := _block(part))), None)
