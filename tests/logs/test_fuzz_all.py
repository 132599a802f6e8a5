"""Any bytes, in any pieces, become records that opentelemetry-proto decodes, and no line is missed on the way.

`make fuzz` tries as many as PIPELINE_EXPORTER_FUZZ_RUNS says.
"""

from __future__ import annotations

import os
from itertools import chain, islice
from random import Random

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.logs.lines import LineBuffer
from exporter.logs.records import Assembler, Record
from exporter.logs.redact import Redactor
from exporter.logs.run import singles
from exporter.otlp.encode import encode_record, export_request, resource_attributes, resource_bytes
from exporter.simulator import SHAPES, log_lines

RUNS = int(os.environ.get("PIPELINE_EXPORTER_FUZZ_RUNS", "300"))
RESOURCE = resource_bytes(
    resource_attributes(name="p", source="s", pipeline_id="1", provider="feldera", further={"odd": "\x00é"})
)
_LINES = [line[:2_000] for line in islice(log_lines(7, SHAPES), 3_000)]
_SCRAPS = (
    b"\n", b"\r\n", b"\r", b"\x00", b"\x1b[", b"\x1b[2m", b"\x1b[0m", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"[p] ",
    b"[manager] ", b"2026-11-19T09:26:40.000000Z", b"2026-99-99T99:99:99.999999999Z", b" INFO ", b'{"timestamp":"', b'{"a":',
    b"thread 'x' panicked at ", b"stack backtrace:\n", b"   0: ", b"password=", b"-----BEGIN PRIVATE KEY-----\n", b"AKIA",
    b'pipeline-id="x" pipeline-name="y"', b"a::b:  ",
)  # fmt: skip


def hostile(random: Random) -> bytes:
    """Make a stream of real lines, torn ones, scraps of syntax and noise."""
    parts: list[bytes] = []
    for _ in range(random.randrange(1, 25)):
        kind = random.randrange(5)
        if kind == 0:
            parts.append(random.randbytes(random.randrange(60)))
        elif kind == 1:
            parts.append(random.choice(_SCRAPS) * random.choice((1, 1, 1, 2, 40)))
        else:
            line = bytearray(random.choice(_LINES))
            if kind == 2 and line:
                line[random.randrange(len(line))] = random.randrange(256)
            elif kind == 3:
                del line[random.randrange(len(line) + 1) :]
            parts.append(bytes(line) + b"\n" * (random.random() < 0.9))
    return b"".join(parts)


def records_of(random: Random, stream: bytes) -> tuple[list[Record], int, int]:
    """Bring a stream in random pieces to its records; return also the lines that went in, and the most bytes of a body."""
    limit = random.choice((16, 100, 10_000))
    lines = LineBuffer(random.choice((8, 300, 1_000_000)))
    redactor = Redactor(defaults=random.random() < 0.8, patterns=["[0-9]{3}x"])
    assembler = Assembler(limit)
    found: list[Record] = []
    count = at = 0
    while at < len(stream):
        size = random.choice((1, 7, 200, 5_000))
        block = lines.feed(stream[at : at + size])
        at += size
        if block:
            assert block.endswith(b"\n")
            clean, _ = redactor.redact(block)
            assert block.count(b"\n") == clean.count(b"\n")
            count += block.count(b"\n")
            found += singles(assembler.feed(clean, 1_795_000_000_000_000_000))
        if random.random() < 0.05:
            found += singles(assembler.flush())
    assert stream.count(b"\n") + lines.forced == count
    found += singles(assembler.flush())
    assert 0 == assembler.open_lines
    return found, count, limit


def test_any_stream_becomes_what_the_reference_decodes() -> None:
    """The request holds each record once, in order, with its body; first lines never run past what was read."""
    for run in range(RUNS):
        random = Random(run)
        stream = hostile(random)
        found, count, _ = records_of(random, stream)
        encoded = [encode_record(one, b"uid-%d" % nth) for nth, one in enumerate(found)]
        request = ExportLogsServiceRequest.FromString(export_request([(RESOURCE, encoded)]))
        decoded = list(
            chain.from_iterable(scope.log_records for one in request.resource_logs for scope in one.scope_logs)
        )
        assert [one.body.decode() for one in found] == [one.body.string_value for one in decoded], run
        assert [one.time_ns for one in found] == [one.time_unix_nano for one in decoded], run
        uids = [next(a.value.string_value for a in one.attributes if a.key == "log.record.uid") for one in decoded]
        assert [f"uid-{nth}" for nth in range(len(found))] == uids, run
        assert all(0 <= one.first_line < count for one in found), run


def test_random_pieces_change_nothing() -> None:
    """The same stream, fed whole or byte by byte, becomes the same records."""
    for run in range(RUNS // 10):
        stream = hostile(Random(run))
        whole, torn = LineBuffer(), LineBuffer()
        blocks = [block for nth in range(len(stream)) if (block := torn.feed(stream[nth : nth + 1]))]
        one, other = Assembler(10_000), Assembler(10_000)
        expected = singles(one.feed(block, 1) + one.flush()) if (block := whole.feed(stream)) else []
        actual = singles([*chain.from_iterable(other.feed(block, 1) for block in blocks), *other.flush()])
        assert expected == actual, run
