"""One source: an account at a vendor whose pipelines are watched."""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, WithJsonSchema, field_validator, model_validator

from exporter.config._address import check_url
from exporter.config._errors import SecretError
from exporter.config._nearest import nearest
from exporter.config._secret import Secret, has_control_characters
from exporter.config._tls import Tls
from exporter.config._types import (
    Duration,
    Headers,
    Model,
    OptionalFile,
    OptionalText,
    Pattern,
    Proxy,
    Rate,
    Size,
    Switch,
    Text,
    Url,
    choice,
    context_of,
    described,
    text,
    whole,
)
from exporter.config._units import parse_duration, parse_rate, parse_size

_DEFAULT_URLS = {"apify": "https://api.apify.com", "goldrush": "https://api.covalenthq.com"}
_DEFAULT_BUDGETS = {"goldrush": "2/s"}
_API_PATHS = {"feldera": "/v0", "apify": "/v2"}
"""What the providers add themselves to the URL."""


def _api_key(value: object) -> SecretStr | None:
    if value is None:
        return None
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("the key must be text; put it in quotes")  # noqa: TRY004 - pydantic wants ValueError
    if not value:
        raise ValueError("the key is empty; leave api_key out to send none")
    if has_control_characters(value):
        raise ValueError("the key has a line break or another control character inside; remove it")
    return SecretStr(str(value))


def _name(value: object) -> str:
    written = text(value)
    if not re.fullmatch(r"[a-z0-9_-]+", written):
        raise ValueError("{value} is not a source's name; use lower-case letters, digits, '_' and '-'")
    return written


class Multiline(Model):
    """When a record of several lines ends without a next head line."""

    max_bytes: Size = described("256KiB", parse_size, "Largest record; a longer one goes on in further records")
    timeout: Duration = described("500ms", parse_duration, "Silence after which an open record is complete")


class Redact(Model):
    """Which secrets are replaced by `[redacted]` in log records."""

    defaults: Switch = Field(default=True, description="Replace what looks like a well-known kind of secret")
    patterns: tuple[Pattern, ...] = Field(default=(), description="Further regular expressions of what to replace")


class Logs(Model):
    """How a source's logs are read."""

    enabled: Switch = Field(default=True, description="Read logs, where an OTLP destination is configured")
    start: Annotated[
        Literal["beginning", "end"],
        BeforeValidator(choice("beginning", "end")),
    ] = Field(default="beginning", description="What to do with lines older than the first sight of a pipeline")
    multiline: Multiline = Field(default=Multiline(), description="When a record of several lines is complete")
    redact: Redact = Field(default=Redact(), description="Which secrets are replaced in log records")
    max_streams: Annotated[int, *whole(1, 1_000_000)] = Field(
        default=200, description="Apify: log streams of this source that are open at once"
    )


class Identity(Model):
    """The keys of a source that no two sources share. They stand first, so that the others can be judged by them."""

    name: Annotated[str, BeforeValidator(_name), WithJsonSchema({"type": "string", "pattern": "^[a-z0-9_-]+$"})] = (
        Field(description="The label `source` of every metric; unique")
    )
    provider: Text = Field(description="The vendor: feldera, goldrush, apify, or a plug-in's name")
    url: Url = Field(description="The vendor's base URL")


class SourceDefaults(Model):
    """Every key of a source that `defaults` may give too."""

    api_key: Annotated[SecretStr | None, BeforeValidator(_api_key)] = Field(
        default=None, description="The key itself, better as ${VARIABLE}; or use api_key_file"
    )
    api_key_file: OptionalFile = Field(
        default=None, description="A file that holds the key; read again when it changes"
    )
    tenant: OptionalText = Field(default=None, description="Feldera only: the tenant, by name or id")
    include: tuple[Pattern, ...] = Field(
        default=(), description="Only pipelines whose whole name one of these regular expressions matches; none: all"
    )
    exclude: tuple[Pattern, ...] = Field(
        default=(), description="No pipelines whose whole name one of these regular expressions matches"
    )
    interval: Duration = described("15s", parse_duration, "Time between polls")
    timeout: Duration = described("10s", parse_duration, "Time that one request may take")
    sweep: Duration = described(
        "30m", parse_duration, "Feldera: how often the events of an unchanged pipeline are looked at"
    )
    budget: Rate = described("10/s", parse_rate, "Requests, with a burst of one second's worth; never exceeded")
    headers: Headers = Field(default={}, repr=False, description="Further headers of every request")
    proxy: Proxy = Field(default=None, repr=False, description="URL of an HTTP proxy")
    tls: Tls = Field(default=Tls(), description="How TLS connections to the vendor are made")
    attributes: Mapping[Text, Text] = Field(default={}, description="Attributes of the OTLP resource of every record")
    logs: Logs = Field(default=Logs(), description="How logs are read")

    @field_validator("api_key_file")
    @classmethod
    def _check_key_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None:
            return None
        if info.data.get("api_key") is not None:
            raise ValueError("both api_key and api_key_file are given; remove one")
        try:
            Secret.file(value).get()
        except SecretError as error:
            raise ValueError(f"{{value}} {error.reason}") from None
        return value


class Source(SourceDefaults, Identity):
    """One source with all its keys, `defaults` merged in."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, data: Any) -> Any:
        """Add the defaults that depend on the provider."""
        if not isinstance(data, dict) or not isinstance(data.get("provider"), str):
            return data
        defaults = {"url": _DEFAULT_URLS.get(data["provider"]), "budget": _DEFAULT_BUDGETS.get(data["provider"])}
        return {key: value for key, value in defaults.items() if value} | data

    @field_validator("provider")
    @classmethod
    def _check_provider(cls, value: str, info: ValidationInfo) -> str:
        known = context_of(info).providers
        if value not in known:
            raise ValueError(f"unknown provider {{value}}{nearest(value, known)}")
        return value

    @field_validator("url")
    @classmethod
    def _check_path(cls, value: str, info: ValidationInfo) -> str:
        provider = info.data.get("provider", "")
        path = check_url(value).path
        if (ending := _API_PATHS.get(provider)) and path.endswith(ending):
            raise ValueError(f"the URL ends in {ending}; remove that, it is added by itself")
        if provider == "goldrush" and path:
            raise ValueError("the URL has a path; write only https://host, the path is added by itself")
        return value

    @field_validator("tenant")
    @classmethod
    def _check_tenant(cls, value: str | None, info: ValidationInfo) -> str | None:
        provider = info.data.get("provider")
        if value is not None and provider not in (None, "feldera"):
            raise ValueError("only Feldera has tenants; give the key only where the provider is feldera")
        if value is not None and has_control_characters(value):
            raise ValueError("the tenant has a line break or another control character; remove it")
        return value

    @cached_property
    def secret(self) -> Secret | None:
        """The API key, None where there is none."""
        if self.api_key is not None:
            return Secret.value(self.api_key.get_secret_value())
        return Secret.file(self.api_key_file) if self.api_key_file else None

    def selects(self, name: str) -> bool:
        """Whether the pipeline of this name is watched."""
        included, excluded = self._filters
        if included and not any(pattern.fullmatch(name) for pattern in included):
            return False
        return not any(pattern.fullmatch(name) for pattern in excluded)

    @cached_property
    def _filters(self) -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
        return [re.compile(text) for text in self.include], [re.compile(text) for text in self.exclude]
