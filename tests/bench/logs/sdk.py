"""The OpenTelemetry SDK's way for the same lines, in a process of its own: one `emit` a line, sent in batches, none lost.

The lines are there already and their heads are parsed before the clock starts: what reading costs is not counted.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.bench.child import Stopwatch
from tests.bench.logs.lines import made

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_COLOUR = re.compile(r"\x1b\[[0-9]*m")
_WORDS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR")
_QUEUE_RECORDS = 1_000_000
_REQUEST_RECORDS = 5_000


def main(connection: Connection, url: str, lines: int, compression: str) -> None:
    """Emit so many lines. The only question asks to do it; the answer is what it cost."""
    from opentelemetry._logs import SeverityNumber
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider()
    kind = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    processor = BatchLogRecordProcessor(
        OTLPLogExporter(endpoint=f"{url}/v1/logs", compression=kind),
        max_queue_size=_QUEUE_RECORDS,
        max_export_batch_size=_REQUEST_RECORDS,
        schedule_delay_millis=200,
    )
    provider.add_log_record_processor(processor)
    logger = provider.get_logger("bench")
    numbers = {word: SeverityNumber(1 + 4 * nth) for nth, word in enumerate(_WORDS)}
    parsed = [_parsed(line) for line in made(0, lines)]
    while connection.recv() is not None:
        watch = Stopwatch()
        for at_ns, word, target, body in parsed:
            logger.emit(
                timestamp=at_ns,
                severity_number=numbers[word],
                severity_text=word,
                body=body,
                attributes={"code.namespace": target},
            )
        provider.force_flush(600_000)
        provider.shutdown()
        connection.send(watch.cost())


def _parsed(line: bytes) -> tuple[int, str, str, Any]:
    head, _, body = _COLOUR.sub("", line.decode()).partition(":  ")
    _, at, word, *_, target = head.split()
    return int(datetime.fromisoformat(at).timestamp() * 1e9), word, target, body
