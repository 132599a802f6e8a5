"""The made-up log lines, and the chunks that they are sent in."""

from __future__ import annotations

from itertools import islice

import msgspec
import pytest

from exporter.simulator import SHAPES, World, lively_world, log_lines, log_records, serve
from exporter.simulator.log_sending import big_chunks, line_chunks
from tests.simulator.log_reader import read_log


def test_the_same_seed_gives_the_same_lines() -> None:
    """Lines depend on seed and shapes alone, and hold no line end."""
    first = list(islice(log_lines(1), 5_000))

    assert first == list(islice(log_lines(1), 5_000))
    assert first != list(islice(log_lines(2), 5_000))
    assert not any(b"\n" in line for line in first)


@pytest.mark.parametrize(
    ("shape", "head", "least", "most"),
    [
        ("pipeline", b"[orders] \x1b[2m20", 1, 1),
        ("plain", b"[orders] 20", 1, 1),
        ("json", b'{"timestamp":"20', 1, 1),
        ("hosts", b"[orders host=", 1, 1),
        ("runner", b"[manager] 20", 1, 1),
        ("multiline", b"[orders] ", 4, 16),
        ("panic", b"", 10, 20),
        ("panic_unnumbered", b"", 3, 3),
        ("dump", b"Pipeline configuration read from /", 50, 500),
        ("raw", b"", 1, 4),
        ("older", b"[", 1, 1),
        ("blank", b"", 1, 1),
        ("odd", b"[orders] ", 1, 1),
        ("long", b"[orders] ", 1, 1),
    ],
)
def test_every_shape_looks_as_it_should(shape: str, head: bytes, least: int, most: int) -> None:
    """Each shape begins with its head and is as long as it should be."""
    for record in islice(log_records(3, [shape]), 50):
        assert record[0].startswith(head)
        assert least <= len(record) <= most


def test_no_shape_is_forgotten() -> None:
    """Panics name their thread, dumps hold secrets, older lines have both prefixes, JSON lines are objects."""
    texts = {shape: b"\n".join(islice(log_lines(5, [shape]), 300)) for shape in SHAPES}

    assert b"thread 'dbsp-worker-0' (21931) panicked at " in texts["panic"]
    assert all(secret in texts["dump"] for secret in (b'"sasl.password": "', b"AKIA", b"postgresql://app:"))
    assert all(prefix in texts["older"] for prefix in (b"[control-plane] 20", b"[pipeline-01a1"))
    assert b"Received signal 11. Backtrace:" in texts["raw"]
    assert all("message" in msgspec.json.decode(line)["fields"] for line in texts["json"].split(b"\n"))
    with pytest.raises(ValueError, match="'nope' is no shape of log lines: use one of pipeline, "):
        log_lines(1, ["nope"])


def test_living_pipelines_print() -> None:
    """Running pipelines of a lively world print as its clock advances, one of them JSON, and it changes no event."""
    world = lively_world(8, seed=3, version="0.375.0")
    before = {pipeline.id: pipeline.logs.buffer.appended for pipeline in world.pipelines.values()}
    world.advance(60)
    running = [pipeline for pipeline in world.pipelines.values() if pipeline.state.runtime == "Running"]

    assert running
    assert all(pipeline.logs.buffer.appended > before[pipeline.id] for pipeline in running if pipeline.id in before)
    assert 1 == sum(pipeline.style.json for pipeline in world.pipelines.values())


def test_chunks_are_lines_of_at_most_32_768_bytes() -> None:
    """A chunk is a line with its end, unless it is too long; an empty line is one too."""
    assert b"2\r\na\n\r\n1\r\n\n\r\n" == line_chunks([b"a", b""])
    assert b"8000\r\n%b\n\r\n" % (b"x" * 32_767) == line_chunks([b"x" * 32_767])
    assert b"8000\r\n%b\r\n1\r\n\n\r\n" % (b"x" * 32_768) == line_chunks([b"x" * 32_768])


def test_big_chunks_end_anywhere() -> None:
    """With a size, what is there is cut at that size."""
    assert b"4\r\none\n\r\n4\r\ntwo\n\r\n1\r\n\n\r\n" == big_chunks([b"one", b"two", b""], 4)


async def test_a_server_can_send_big_chunks() -> None:
    """With `log_chunk_bytes` the same lines come in few chunks."""
    world = World()
    pipeline = world.create("p", compile_as=None)
    lines = list(islice(log_lines(7), 2_000))
    pipeline.log_lines(lines)
    async with serve(world, log_chunk_bytes=65_536) as server, read_log(server.url, "p", "?cursor=") as reader:
        kept = list(pipeline.logs.buffer.lines)
        assert kept == await reader.lines(len(kept))

    assert 65_536 == max(map(len, reader.chunks))
    assert len(reader.chunks) < 30
