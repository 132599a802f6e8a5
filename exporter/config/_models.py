"""The whole configuration, as the loader gives it back: frozen, in seconds and bytes, with absolute paths."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from exporter.config._otlp import Otlp
from exporter.config._source import Source, SourceDefaults
from exporter.config._types import (
    Address,
    JournalSize,
    Model,
    Switch,
    WorkingPath,
    choice,
    described,
    not_empty,
    one_or_list,
)
from exporter.config._units import parse_size

_DATA_DIR = "./pipeline-exporter-data"


class Log(Model):
    """The exporter's own log."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(choice("debug", "info", "warning", "error")),
    ] = Field(default="info", description="The least severe messages that are written")
    format: Annotated[Literal["text", "json"], BeforeValidator(choice("text", "json"))] = Field(
        default="text", description="Lines for people or JSON lines"
    )


class Journal(Model):
    """The file that holds positions, counts and unsent records."""

    limit: JournalSize = described("1GiB", parse_size, "Most bytes of log records that wait to be sent")
    when_full: Annotated[Literal["pause", "drop_oldest"], BeforeValidator(choice("pause", "drop_oldest"))] = Field(
        default="pause", description="pause: read no more logs; drop_oldest: drop the oldest records, counted"
    )


class Metrics(Model):
    """What /metrics shows."""

    zeros: Switch = Field(default=True, description="Show the zeros of state sets and transitions")


class Config(Model):
    """The configuration of `pipeline-exporter`."""

    listen: Annotated[
        tuple[Address, ...],
        BeforeValidator(not_empty),
        BeforeValidator(one_or_list),
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
    ] = Field(
        default=(":10067",),
        description="Address or addresses to listen on: host:port, :port or [v6]:port",
        json_schema_extra={"default": ":10067"},
    )
    data_dir: WorkingPath = Field(
        default=Path(_DATA_DIR),
        validate_default=True,
        description="The folder of the journal",
        json_schema_extra={"default": _DATA_DIR},
    )
    log: Log = Field(default=Log(), description="The exporter's own log on stderr")
    defaults: SourceDefaults = Field(
        default=SourceDefaults(),
        repr=False,
        description="Any key of a source except name, provider and url; mappings are merged into each source",
    )
    sources: Annotated[tuple[Source, ...], BeforeValidator(not_empty)] = Field(
        description="What is watched; at least one", json_schema_extra={"minItems": 1}
    )
    otlp: Otlp | None = Field(default=None, description="Where logs, events and traces go; without it no log is read")
    journal: Journal = Field(default=Journal(), description="The file of positions, counts and unsent records")
    metrics: Metrics = Field(default=Metrics(), description="What /metrics shows")

    @field_validator("otlp", mode="before")
    @classmethod
    def _refuse_empty(cls, value: Any) -> Any:
        """Refuse an `otlp:` with nothing below it, as it could be meant either way."""
        if value is None:
            raise ValueError("the block is empty; write 'otlp: {}' for the defaults, or leave the key out")
        return value
