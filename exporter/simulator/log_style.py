"""How a line of a log is written: by the runner or by a pipeline's process, coloured, plain or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from exporter.simulator.identifiers import rfc3339_micros

_encode = msgspec.json.Encoder().encode
_LEVEL_COLOURS = {"ERROR": 31, "WARN": 33, "INFO": 32, "DEBUG": 34, "TRACE": 35}
_RUNNER = "pipeline_manager::runner::"


@dataclass(slots=True)
class LogStyle:
    """Whose lines they are, and how they look."""

    pipeline_id: str
    name: str
    json: bool = False
    """`FELDERA_LOG_JSON`; the runner's lines are JSON then as well."""
    colours: bool = True
    """Off with `NO_COLOR`."""
    host: int | None = None

    def runner(self, at_us: int, level: str, module: str, message: str) -> bytes:
        """Return a line of the runner. Its modules differ in the name that they give."""
        name = {"pipeline_logs": "N/A", "local_runner": ""}.get(module, self.name)
        at = rfc3339_micros(at_us)
        if not self.json:
            return (
                f"[manager] {at} {level:>5} {_RUNNER}{module}: {message} "
                f'pipeline-id="{self.pipeline_id}" pipeline-name="{name or "N/A"}"'
            ).encode()
        return self._object(at, level, _RUNNER + module, "runner", name, {"line": message})

    def process(
        self,
        at_us: int,
        level: str,
        target: str,
        message: str,
        *,
        spans: tuple[str, ...] = (),
        fields: dict[str, Any] | None = None,
    ) -> bytes:
        """Return what the pipeline's process writes for one event; a message of several lines stays one text."""
        at, fields = rfc3339_micros(at_us), fields or {}
        if self.json:
            return self._object(at, level, target, "pipeline", self.name, {"message": message, **fields}, spans)
        prefix = self.name if self.host is None else f"{self.name} host={self.host}"
        if not self.colours:
            shown = "".join(f"{span}: " for span in spans)
            tail = "".join(f" {key}={_value(value)}" for key, value in fields.items())
            return f"[{prefix}] {at} {level:>5} {shown}{target}:  {message}{tail}".encode()
        shown = "".join(f"\x1b[1m{span}\x1b[0m\x1b[2m:\x1b[0m " for span in spans)
        tail = "".join(f" \x1b[3m{key}\x1b[0m\x1b[2m=\x1b[0m{_value(value)}" for key, value in fields.items())
        colour = _LEVEL_COLOURS[level]
        return (
            f"[{prefix}] \x1b[2m{at}\x1b[0m \x1b[{colour}m{level:>5}\x1b[0m {shown}"
            f"\x1b[2m{target}\x1b[0m\x1b[2m:\x1b[0m  {message}{tail}"
        ).encode()

    def _object(
        self,
        at: str,
        level: str,
        target: str,
        service: str,
        name: str,
        fields: dict[str, Any],
        spans: tuple[str, ...] = (),
    ) -> bytes:
        document: dict[str, Any] = {
            "timestamp": at,
            "level": level,
            "target": target,
            "feldera-service": service,
            "pipeline-name": name,
            "pipeline-id": self.pipeline_id,
            "fields": fields,
        }
        if spans:
            document["span"] = {"name": spans[-1]}
        return _encode(document)


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
