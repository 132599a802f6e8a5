"""The configuration: a YAML file to frozen models, with errors that say where and what to do."""

from exporter.config._address import parse_address
from exporter.config._errors import ConfigError, Problem, SecretError
from exporter.config._load import load
from exporter.config._models import Config, Journal, Log, Metrics
from exporter.config._otlp import DEFAULT_ENDPOINTS, Batch, Otlp
from exporter.config._schema import schema
from exporter.config._secret import Secret
from exporter.config._source import Logs, Multiline, Redact, Source
from exporter.config._tls import Tls, ssl_context
from exporter.config._types import PROVIDERS
from exporter.config._web import WebConfig, load_web

__all__ = [
    "DEFAULT_ENDPOINTS",
    "PROVIDERS",
    "Batch",
    "Config",
    "ConfigError",
    "Journal",
    "Log",
    "Logs",
    "Metrics",
    "Multiline",
    "Otlp",
    "Problem",
    "Redact",
    "Secret",
    "SecretError",
    "Source",
    "Tls",
    "WebConfig",
    "load",
    "load_web",
    "parse_address",
    "schema",
    "ssl_context",
]
