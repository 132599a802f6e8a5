"""`${ENV}` in values. It works on parsed text, so no variable can add structure to the file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(?:\$|\{([^}]*)(\}?))")
_INSIDE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class FromEnvironment(str):
    """Text in which a variable stood. Its type is that of the field that it is for, as it cannot be written otherwise."""

    __slots__ = ()


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Return the text with every `${NAME}` and `${NAME:-default}` replaced, and `$$` as `$`.

    An empty variable counts as set, except where there is a default. Raises ValueError, without any variable's value.
    """
    replaced = False

    def value_of(match: re.Match[str]) -> str:
        nonlocal replaced
        if match[1] is None:
            return "$"
        replaced = True
        return _value(match, environ)

    result = _REFERENCE.sub(value_of, text)
    return FromEnvironment(result) if replaced else result


def _value(match: re.Match[str], environ: Mapping[str, str]) -> str:
    if not match[2]:
        raise ValueError("'${' without '}'; write ${NAME}, or $${ for the characters themselves")
    inside = _INSIDE.fullmatch(match[1])
    if inside is None:
        raise ValueError(
            "'${…}' does not hold a variable's name; write ${NAME} or ${NAME:-default}, and $$ for a dollar sign"
        )
    name, default = inside.groups()
    if default is not None and "${" in default:
        raise ValueError(f"a default cannot hold another variable; give ${{{name}:-…}} a plain text")
    value = environ.get(name)
    if value is None and default is None:
        raise ValueError(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    return default if default is not None and not value else value or ""
