"""YAML text to a tree in which every key and value knows its place, so that each error can say where.

Scalars are typed as YAML 1.2 does it: `on`, `1:30` and dates are text. Keys are always text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import yaml

from exporter.config._environment import substitute
from exporter.config._errors import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEEPEST = 32
_MOST_NODES = 100_000
"""Aliases of aliases can make a short file as large as one likes."""

_TAG = "tag:yaml.org,2002:"
_SIMPLE_KEY = re.compile(r"[\w-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Loader(yaml.SafeLoader):
    """The safe loader, with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as the parent has it


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", list("-+.")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written. Which kind is wanted is for the field to say."""

    text: str


Scalar = str | bool | Number | None


@dataclass(frozen=True, slots=True)
class Key:
    """Where a key stands, and what stands behind it."""

    line: int
    column: int
    node: Node


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place. Keys merged from `defaults` keep the place and the path that they have there."""

    line: int
    column: int
    path: str
    value: Scalar | dict[str, Key] | list[Node]
    shown: str
    """The value as errors show it: as the file has it, before variables are filled in."""

    def problem(self, message: str) -> Problem:
        """Return a problem at this place; `{value}` in the message stands for the value as written."""
        return Problem(self.line, self.column, self.path, message.replace("{value}", self.shown))

    def plain(self) -> Any:
        """Return plain dicts, lists and scalars."""
        if isinstance(self.value, dict):
            return {name: key.node.plain() for name, key in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def child(self, name: str) -> Node | None:
        """Return the value behind a key, or None."""
        key = self.value.get(name) if isinstance(self.value, dict) else None
        return key.node if key else None


def merged(below: Node, above: Node) -> Node:
    """Return a mapping with the keys of both. Mappings merge deeply; of anything else `above` wins."""
    if not isinstance(below.value, dict) or not isinstance(above.value, dict):
        return above
    keys = dict(below.value)
    for name, key in above.value.items():
        old = keys.get(name)
        keys[name] = replace(key, node=merged(old.node, key.node)) if old else key
    return replace(above, value=keys)


def joined(path: str, name: str) -> str:
    """Return the path of a key below another."""
    if not _SIMPLE_KEY.fullmatch(name):
        return f"{path}[{name!r}]"
    return f"{path}.{name}" if path else name


def read(text: str, environ: Mapping[str, str] | None) -> tuple[Node | None, list[Problem]]:
    """Return the tree (None where there is none) and what is wrong with the YAML itself.

    With `environ`, `${NAME}` is replaced in values; with None it is left as it is.
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        return None, [_syntax_problem(error, text)]
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        return None, [Problem(line, column, "", f"the character U+{error.character:04X} is not allowed in YAML")]
    except RecursionError:
        return None, [Problem(1, 1, "", "the YAML is nested too deeply")]
    except (ValueError, OverflowError):  # a `\U` escape or a version number out of range
        return None, [Problem(1, 1, "", "the YAML holds a number or a character that does not exist")]
    if root is None or (root.tag == _TAG + "null" and root.value == ""):
        return Node(1, 1, "", {}, "nothing"), []
    reader = _Reader(environ)
    return reader.node(root, "", 0), reader.problems


def _syntax_problem(error: yaml.MarkedYAMLError, text: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    message = f"not valid YAML: {error.problem or error.context}"
    lines = text.splitlines()
    if "'\\t'" in message:
        message += "; use spaces to indent"
    elif line < len(lines) and "${" in lines[line]:
        message += "; put a value with ${…} in quotes"
    return Problem(line + 1, column + 1, "", message)


@dataclass(slots=True)
class _Reader:
    environ: Mapping[str, str] | None
    problems: list[Problem] = field(default_factory=list)
    count: int = 0

    def node(self, node: yaml.Node, path: str, depth: int) -> Node:
        self.count += 1
        mark = node.start_mark
        made = Node(mark.line + 1, mark.column + 1, path, None, "null")
        if depth > _DEEPEST or self.count > _MOST_NODES:
            if not self.problems or self.problems[-1].message != "nested too deeply, or too much by aliases":
                self.problems.append(made.problem("nested too deeply, or too much by aliases"))
            return made
        if isinstance(node, yaml.MappingNode):
            self._check_tag(made, node.tag, "map")
            return replace(made, value=self._mapping(node, path, depth), shown="a mapping")
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(made, node.tag, "seq")
            items = [self.node(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node.value)]
            return replace(made, value=items, shown="a list")
        assert isinstance(node, yaml.ScalarNode)  # noqa: S101 - there are no other kinds
        return self._scalar(replace(made, shown=_quoted(node.value)), node)

    def _mapping(self, node: yaml.MappingNode, path: str, depth: int) -> dict[str, Key]:
        keys: dict[str, Key] = {}
        for key, value in node.value:
            line, column = key.start_mark.line + 1, key.start_mark.column + 1
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(line, column, path, "a key must be plain text"))
                continue
            name = _SURROGATE.sub("\ufffd", key.value)
            below = joined(path, name)
            if name in keys:
                first = keys[name].line
                self.problems.append(
                    Problem(line, column, below, f"duplicate key {name!r}, first on line {first}; remove one")
                )
            elif name == "<<" and key.style is None:
                message = "merge keys ('<<') are not supported; put what sources share under 'defaults'"
                self.problems.append(Problem(line, column, below, message))
            else:
                keys[name] = Key(line, column, self.node(value, below, depth + 1))
        return keys

    def _scalar(self, made: Node, node: yaml.ScalarNode) -> Node:
        kind = node.tag.removeprefix(_TAG)
        if _SURROGATE.search(node.value):
            self.problems.append(made.problem("the text holds half of a character (a surrogate); write it whole"))
        elif kind == "str":
            return replace(made, value=self._substituted(made, node.value))
        elif kind == "bool" and node.value.lower() in ("true", "false"):
            return replace(made, value=node.value.lower() == "true", shown=node.value)
        elif kind in ("int", "float"):
            return replace(made, value=Number(node.value), shown=node.value if len(node.value) < 40 else "the number")
        elif kind == "null":
            return replace(made, value=None, shown=node.value or "nothing")
        else:
            self.problems.append(made.problem(f"the tag '{_short(node.tag)}' is not supported; remove it"))
        return made

    def _substituted(self, made: Node, text: str) -> str:
        if self.environ is None:
            return text
        try:
            return substitute(text, self.environ)
        except ValueError as error:
            self.problems.append(made.problem(str(error)))
            return text

    def _check_tag(self, made: Node, tag: str, kind: str) -> None:
        if tag != _TAG + kind:
            self.problems.append(made.problem(f"the tag '{_short(tag)}' is not supported; remove it"))


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 120 else text[:117] + "...")


def _short(tag: str) -> str:
    return tag.replace(_TAG, "!!", 1)
