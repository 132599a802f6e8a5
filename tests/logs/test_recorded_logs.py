"""The log streams of a real server become the right records."""

from __future__ import annotations

from collections import Counter

from exporter.logs.records import Assembler, Record
from exporter.logs.run import singles
from tests.recordings import FOLDER, need_recordings

need_recordings()

AUTOMATA = b"pipeline_manager::runner::pipeline_automata"
SERVER = b"dbsp_adapters::server"


def records(name: str) -> list[Record]:
    """Return the records of a recorded stream, without the vendor's last marker."""
    body = (FOLDER / name / "body").read_bytes().removesuffix(b"Logs have ended\n")
    assembler = Assembler(256 * 1024)
    return singles(assembler.feed(body, 1) + assembler.flush())


def test_a_whole_life() -> None:
    """Five runs of a pipeline: every head is a record, every panic one, and each line is in one of them."""
    found = records("04-life-logs-whole-stream")

    assert Counter({"info": 66, "error": 4}) == Counter(record.severity for record in found)
    assert [record.first_line for record in found] == sorted({record.first_line for record in found})
    assert found[0]._replace(observed_ns=0) == Record(
        1795246805402052000, 0, "info", b"INFO", b"Fresh start of pipeline logs",
        b"pipeline_manager::runner::pipeline_logs", b"", 0, (), 0,
    )  # fmt: skip
    assert (1795246812143983000, SERVER) == (found[2].time_ns, found[2].target)
    assert b"Storage transition: clearing -> cleared" == found[-1].body


def test_a_panic_takes_its_backtrace_and_no_more() -> None:
    """The panic has type, message and backtrace, and the runner's next line is another record."""
    found = records("04-life-logs-whole-stream")
    (panic,) = [record for record in found if record.body.startswith(b"thread")]
    said = dict(panic.attributes)

    assert ("error", b"", 0) == (panic.severity, panic.severity_text, panic.time_ns)
    assert "panic" == said["exception.type"]
    assert "called `Option::unwrap()` on a `None` value" == said["exception.message"]
    assert str(said["exception.stacktrace"]).startswith("stack backtrace:\n   0: __rustc::rust_begin_unwind")
    assert panic.body.endswith(b"for a verbose backtrace.")
    assert found[found.index(panic) + 1].body.endswith(b"exit status: 101")


def test_a_configuration_dump_belongs_to_the_line_before() -> None:
    """Lines without head continue the record before them, the pipeline's own heads in between begin new ones."""
    found = records("04-m-badport-logs")

    assert [
        (b"Fresh start of pipeline logs", 1),
        (b"Resources transition: stopped -> provisioning (desired: provisioned)", 2),
        (b"Pipeline deployment identifier from arguments: 01a1fd0f-54a0-7160-800c-3b1889d99aae", 1),
        (b"Desired status from arguments: Running", 16),
        (b"Resources transition: provisioning -> stopping (desired: provisioned)", 1),
        (b"Resources transition: stopping -> stopped (desired: stopped)", 1),
    ] == [(record.body.partition(b"\n")[0], record.body.count(b"\n") + 1) for record in found]


def test_json_mode() -> None:
    """Objects of the pipeline and of the runner are records; raw text between them continues or is a panic."""
    found = records("03-logs-json-mode")

    assert 15 == len(found)
    assert (b"Fresh start of pipeline logs", b"INFO") == (found[0].body, found[0].severity_text)
    assert 1795248483967829000 == found[0].time_ns
    assert (b"Desired status from arguments: Running", SERVER) == (found[3].body, found[3].target)
    assert (("exception.type", "panic"), ("exception.message", "boom")) == found[10].attributes
    assert (
        "error",
        b"Resources error: Pipeline process exited prematurely with exit status: 3",
    ) == (found[11].severity, found[11].body)


def test_plain_lines_without_head_stay_together() -> None:
    """The runner's error keeps its message, and what follows it without head is its continuation."""
    found = records("03-logs-invalid-utf8")

    assert [b"WARN", b"ERROR"] == [record.severity_text for record in found]
    assert found[0].body.endswith(b"and are thus not shown.\ngood before")
    assert found[1].body.endswith(b"stream did not contain valid UTF-8\nstderr still works")


def test_every_recorded_stream_keeps_its_text() -> None:
    """Every word of a line's message is found again in the records."""
    for path in sorted(FOLDER.glob("0[45]-*logs*")):
        text = b"\n".join(record.body for record in records(path.name))
        for line in (path / "body").read_bytes().splitlines():
            assert (
                line.rpartition(b"\x1b[0m  ")[2].split(b" pipeline-id=")[0].split(b": ")[-1]
                in text + b"Logs have ended"
            )
