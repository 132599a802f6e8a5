"""The service opens what sends spans where these are wanted, whether logs are read or not."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.app import Exporter
from exporter.config import load
from tests.otlp.carrying import until
from tests.otlp.receiver import http_receiver
from tests.tracing import job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
NOWHERE = "http://127.0.0.1:1"


def written(folder: Path, otlp: str = "", *, logs: str = "true") -> Path:
    """Write a configuration of one source that nobody answers."""
    path = folder / "config.yaml"
    source = f"{{name: prod, provider: feldera, url: '{NOWHERE}', interval: 1h, logs: {{enabled: {logs}}}}}"
    block = f"otlp: {otlp}\n" if otlp else ""
    path.write_text(f"listen: 127.0.0.1:0\ndata_dir: {folder}/data\n{block}sources:\n  - {source}\n")
    return path


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Exporter]:
    """Run the service until the end of the block."""
    exporter = Exporter(path, load(path, {}))
    await exporter.start()
    try:
        yield exporter
    finally:
        await exporter.stop()


@pytest.mark.parametrize(
    ("otlp", "environ", "expected"),
    [
        ("", {}, (False, False)),
        ("", {ENDPOINT: NOWHERE}, (True, True)),
        ("", {LOGS_ENDPOINT: NOWHERE}, (True, False)),
        ("", {TRACES_ENDPOINT: NOWHERE}, (False, True)),
        (f"{{endpoint: '{NOWHERE}'}}", {}, (True, True)),
        (f"{{endpoint: '{NOWHERE}', traces: false}}", {TRACES_ENDPOINT: NOWHERE}, (True, False)),
    ],
)
async def test_what_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, otlp: str, environ: Mapping[str, str], expected: tuple[bool, bool]
) -> None:
    """Logs and spans have each what sends them, where there is somewhere to send them."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    async with running(written(tmp_path, otlp)) as exporter:
        source = exporter.pollers["prod"].source
        assert expected == (exporter.delivery is not None, exporter.tracing is not None)
        assert expected == (source.events is not None, source.traces is not None)


@pytest.mark.parametrize("logs", ["true", "false"])
async def test_spans_without_logs(tmp_path: Path, logs: str) -> None:
    """A source whose logs are not read sends its spans all the same."""
    async with http_receiver(traces=True) as receiver:
        path = written(tmp_path, f"{{endpoint: '{receiver.url}'}}", logs=logs)
        async with running(path) as exporter:
            source = exporter.pollers["prod"].source
            source.unsent_spans.append(job(1))
            await source.commit()
            await receiver.wait_for(lambda one: bool(one.spans))
        assert ["RUN jane/hello-world"] == [span.name for span in receiver.spans]


async def test_what_holds_spans_is_said(tmp_path: Path) -> None:
    """The text of the readiness tells of a destination that takes no spans; the service is ready all the same."""
    async with http_receiver() as receiver, running(written(tmp_path, f"{{endpoint: '{receiver.url}'}}")) as exporter:
        source = exporter.pollers["prod"].source
        source.unsent_spans.append(job(1))
        await source.commit()
        await until(lambda: exporter.pollers["prod"].polled and exporter.tracing and exporter.tracing.problem())
        ready, text = exporter.readiness()
        said = f"spans are held, 1 wait (`otlp.traces: false` turns them off): {receiver.url}/v1/traces: answered 404"
        assert (True, said) == (ready, text.splitlines()[-1][: len(said)])


async def test_a_reload_turns_spans_off_and_on(tmp_path: Path) -> None:
    """With `traces: false` no more spans are made; what waited is sent once they are wanted again."""
    async with http_receiver(traces=True) as receiver, running(written(tmp_path, f"{{endpoint: '{NOWHERE}'}}")) as one:
        source = one.pollers["prod"].source
        source.unsent_spans.append(job(1))
        await source.commit()
        written(tmp_path, f"{{endpoint: '{NOWHERE}', traces: false}}")
        await one.reload()
        source = one.pollers["prod"].source
        assert (None, None) == (one.tracing, source.traces)
        source.unsent_spans.append(job(2))
        await source.commit()
        written(tmp_path, f"{{endpoint: '{receiver.url}'}}")
        await one.reload()
        await receiver.wait_for(lambda found: bool(found.spans))
        await until(lambda: one.tracing is not None and not one.tracing.outbox.waiting_records)
    assert ["run-1"] == [
        attribute.value.string_value
        for span in receiver.spans
        for attribute in span.attributes
        if attribute.key == "cicd.pipeline.run.id"
    ]
