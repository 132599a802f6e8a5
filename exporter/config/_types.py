"""The types of single values: what may be written, what comes out, and how the JSON schema says it.

Every validator raises ValueError, in whose text `{value}` stands for the value as the file has it.
"""

import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from exporter.config import _units as units
from exporter.config._address import check_url, parse_address
from exporter.config._environment import FromEnvironment
from exporter.config._nodes import Number
from exporter.config._secret import has_control_characters

PROVIDERS = frozenset({"feldera", "goldrush", "apify"})
"""The providers whose keys are known here. Which of them can be used, the caller says."""


@dataclass(frozen=True, slots=True)
class Context:
    """What validators must know of the world."""

    folder: Path
    """Where relative paths begin."""
    providers: frozenset[str] = PROVIDERS


def context_of(info: ValidationInfo) -> Context:
    """Return the context; models made without the loader have the working directory and the bundled providers."""
    return info.context if isinstance(info.context, Context) else Context(Path.cwd())


class Model(BaseModel):
    """What all blocks of the configuration have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class MisplacedError(ValueError):
    """An error about one key that shows only when the block is looked at as a whole."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        super().__init__(message)


def described(default: str, parse: Callable[[str], Any], description: str) -> Any:
    """Return a field whose default is written in units, in the schema too."""
    return Field(default=parse(default), description=description, json_schema_extra={"default": default})


def text(value: object) -> str:
    """Return text. A number or true and false without quotes are refused, as YAML has changed them already."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Number | bool | int | float):
        kind = "true or false" if isinstance(value, bool) else "a number"
        raise ValueError(f"{{value}} is {kind} where text is needed; put it in quotes")  # noqa: TRY004 - pydantic wants ValueError
    raise ValueError("{value} stands where text is needed")


def optional_text(value: object) -> str | None:
    """Return text, or None for null and for an empty variable."""
    if value is None or (isinstance(value, FromEnvironment) and not value):
        return None
    return text(value)


def boolean(value: object) -> bool:
    """Return true or false; `yes` and `on` are text."""
    if isinstance(value, FromEnvironment) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("{value} is not a switch; write true or false")  # noqa: TRY004 - pydantic wants ValueError
    return value


def whole(low: int, high: int) -> tuple[BeforeValidator, WithJsonSchema]:
    """Return a validator for whole numbers of a range, and its schema."""

    def validate(value: object) -> int:
        written = value.text if isinstance(value, Number) else value
        if isinstance(value, Number | FromEnvironment) and isinstance(written, str):
            written = int(written) if re.fullmatch(r"[+-]?[0-9]{1,18}", written) else None
        if isinstance(written, bool) or not isinstance(written, int) or not low <= written <= high:
            raise ValueError(f"{{value}} is not a whole number from {low} to {high}")
        return written

    return BeforeValidator(validate), WithJsonSchema({"type": "integer", "minimum": low, "maximum": high})


def with_unit(parse: Callable[[str], float], low: float, low_text: str) -> Callable[[object], float]:
    """Return a validator for a value with a unit that is at least `low`; a `low` of 0 excludes 0 itself."""

    def validate(value: object) -> float:
        written = value.text if isinstance(value, Number) else value
        # What is no text at all gets the same hint as text that is no value with a unit.
        number = parse(str(written) if isinstance(written, str) else "")
        if number < low or number == 0 == low:
            raise ValueError(f"{{value}} is too small; it must be {low_text} or more")
        return number

    return validate


def address(value: object) -> str:
    """Return an address that can be listened on, as written."""
    if isinstance(value, Number):
        raise ValueError('{value} is a number; write ":{value}" for a port on every interface')  # noqa: TRY004 - pydantic wants ValueError
    written = text(value)
    parse_address(written)
    return written


def one_or_list(value: object) -> object:
    """Return a list, also for a single value."""
    return value if isinstance(value, list | tuple) else [value]


def not_empty(value: object) -> object:
    """Return the value, unless it is an empty list."""
    if isinstance(value, list | tuple) and not value:
        raise ValueError("the list is empty; at least one is needed")
    return value


def pattern(value: object) -> str:
    """Return a regular expression that compiles."""
    written = text(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(written)
    except (re.error, OverflowError, RecursionError) as error:
        reason = "" if isinstance(value, FromEnvironment) else f": {error}"
        raise ValueError(f"{{value}} is not a regular expression{reason}") from None
    return written


def header_name(value: object) -> str:
    """Return a header's name."""
    written = text(value)
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", written):
        raise ValueError("not a header's name; use letters, digits and '-'")
    return written


def header_value(value: object) -> str:
    """Return a header's value; errors never show it."""
    if not isinstance(value, str):
        raise ValueError("a header's value must be text; put it in quotes")  # noqa: TRY004 - pydantic wants ValueError
    if has_control_characters(value):
        raise ValueError("the header's value has a line break or another control character; remove it")
    return str(value)


def path(value: object, info: ValidationInfo) -> Path:
    """Return an absolute path; a relative one begins at the configuration file's folder."""
    return context_of(info).folder / _written_path(value)


def working_path(value: object) -> Path:
    """Return an absolute path; a relative one begins at the working directory, as of what the process writes."""
    return Path.cwd() / _written_path(value)


def _written_path(value: object) -> str:
    written = str(value) if isinstance(value, Path) else text(value)
    if not written or has_control_characters(written):
        raise ValueError("{value} is not a path; it is empty or holds a control character")
    return written


def optional_path(value: object, info: ValidationInfo) -> Path | None:
    """Return an absolute path, or None for null and for an empty variable."""
    return None if optional_text(str(value) if isinstance(value, Path) else value) is None else path(value, info)


def proxy(value: object) -> str | None:
    """Return the URL of a proxy, which may hold credentials; errors never show it."""
    written = optional_text(value)
    if written is not None:
        check_url(written, credentials=True)
    return written


def url(value: object) -> str:
    """Return a base URL without its trailing slash; errors never show it."""
    written = text(value)
    check_url(written)
    return written.rstrip("/")


def choice(*known: str) -> Callable[[object], str]:
    """Return a validator for one of a few words."""

    def validate(value: object) -> str:
        if not isinstance(value, str) or value not in known:
            raise ValueError(f"{{value}} is not one of {', '.join(known)}")
        return str(value)

    return validate


def _unit_schema(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "examples": list(examples)})


_DURATION = _unit_schema(units.DURATION_PATTERN, "500ms", "15s", "1m", "1h30m")
_SIZE = _unit_schema(units.SIZE_PATTERN, "64KiB", "3MiB", "1GiB")

Text = Annotated[str, BeforeValidator(text)]
OptionalText = Annotated[str | None, BeforeValidator(optional_text)]
Switch = Annotated[bool, BeforeValidator(boolean)]
Duration = Annotated[float, BeforeValidator(with_unit(units.parse_duration, 0, "1ms")), _DURATION]
Delay = Annotated[float, BeforeValidator(with_unit(units.parse_duration, -1, "0s")), _DURATION]
"""A duration that may be zero."""
Size = Annotated[int, BeforeValidator(with_unit(units.parse_size, 0, "1B")), _SIZE]
JournalSize = Annotated[int, BeforeValidator(with_unit(units.parse_size, 2**20, "1MiB")), _SIZE]
Rate = Annotated[
    float,
    BeforeValidator(with_unit(units.parse_rate, 0, "1/h")),
    _unit_schema(units.RATE_PATTERN, "10/s", "600/m"),
]
Address = Annotated[str, BeforeValidator(address)]
Pattern = Annotated[str, BeforeValidator(pattern)]
Headers = Mapping[
    Annotated[str, BeforeValidator(header_name)],
    Annotated[str, BeforeValidator(header_value)],
]
WorkingPath = Annotated[Path, BeforeValidator(working_path)]
OptionalFile = Annotated[Path | None, BeforeValidator(optional_path)]
Url = Annotated[str, BeforeValidator(url)]
Proxy = Annotated[str | None, BeforeValidator(proxy)]
