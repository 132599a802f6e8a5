"""What the lines of vendors become whose logs are not Feldera's."""

from __future__ import annotations

import pytest

from exporter.logs.dialects import ANY, STAMPED
from exporter.logs.records import Assembler
from exporter.logs.run import singles

NOON_NS = 1_795_262_400 * 10**9
"""2026-11-21T12:00:00Z"""

Said = tuple[int, str, str, str]


def said(text: str, dialect: object = ANY) -> list[Said]:
    """Return time after noon in milliseconds (-1: none), severity, its text and body of the records of a text."""
    assembler = Assembler(1 << 18, dialect)  # type: ignore[arg-type]
    records = singles([*assembler.feed(text.encode(), 1), *assembler.flush()])
    return [
        (
            (one.time_ns - NOON_NS) // 10**6 if one.time_ns else -1,
            one.severity,
            one.severity_text.decode(),
            one.body.decode(),
        )
        for one in records
    ]


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("2026-11-21T12:00:00.007Z started", (7, "none", "", "started")),
        ("2026-11-21T12:00:00.007Z ", (7, "none", "", "")),
        ("2026-11-21T12:00:00.007Z", (7, "none", "", "")),
        (
            "2026-11-21T12:00:01.007Z 2026-11-21T12:00:00.000Z twice",
            (1007, "none", "", "2026-11-21T12:00:00.000Z twice"),
        ),
        ("2026-11-21T12:00:00.007Z  two spaces", (7, "none", "", " two spaces")),
        (
            "2026-11-21T12:00:00.007Z 0 ERROR-free tasks; INFO done",
            (7, "none", "", "0 ERROR-free tasks; INFO done"),
        ),
        ("2026-13-41T12:00:00.007Z no time", (-1, "none", "", "2026-13-41T12:00:00.007Z no time")),
        ("plain", (-1, "none", "", "plain")),
    ],
)
def test_stamped_lines(line: str, record: Said) -> None:
    """A line begins with its time and one space; no level is guessed from the message."""
    assert [record] == said(f"{line}\n", STAMPED)


def test_stamped_lines_without_a_time_continue_the_record() -> None:
    """As the lines of a stack do, indented or not."""
    text = "2026-11-21T12:00:00.000Z Error: no\n    at main\nCaused\n2026-11-21T12:00:00.001Z next\n"
    assert [(0, "none", "", "Error: no\n    at main\nCaused"), (1, "none", "", "next")] == said(text, STAMPED)


@pytest.mark.parametrize(
    ("line", "record"),
    [
        ("2026-11-21T12:00:00.007Z INFO started", (7, "info", "INFO", "started")),
        ("2026-11-21T12:00:00.007123Z [warn] slow", (7, "warn", "warn", "slow")),
        ("2026-11-21 12:00:00,007 ERROR broken", (7, "error", "ERROR", "broken")),
        ("2026-11-21T14:00:00+02:00 started", (0, "none", "", "started")),
        ("[2026-11-21T12:00:00Z] [ERROR] broken", (0, "error", "ERROR", "broken")),
        ("[2026-11-21T12:00:00Z][ERROR] broken", (0, "error", "ERROR", "broken")),
        ("2026-11-21T12:00:00Z - WARNING - slow", (0, "warn", "WARNING", "slow")),
        ("2026-11-21T12:00:00Z", (0, "none", "", "")),
        ("2026-11-21T12:00:00.5Zero", (-1, "none", "", "2026-11-21T12:00:00.5Zero")),
        ("INFO started", (-1, "info", "INFO", "started")),
        ("FATAL: gone", (-1, "fatal", "FATAL", "gone")),
        ("[Debug] seen", (-1, "debug", "Debug", "seen")),
        ("ERROR -1 returned", (-1, "error", "ERROR", "-1 returned")),
        ("2026-11-21T12:00:00Z -5 degrees", (0, "none", "", "-5 degrees")),
        ("2026-11-21T12:00:00Z INFO |a| = 1", (0, "info", "INFO", "|a| = 1")),
        ("INFORMATION follows", (-1, "none", "", "INFORMATION follows")),
        ("error while reading", (-1, "none", "", "error while reading")),
        ("0 ERROR-free tasks", (-1, "none", "", "0 ERROR-free tasks")),
        ("\x1b[31mERROR\x1b[0m red", (-1, "error", "ERROR", "red")),
        ("plain", (-1, "none", "", "plain")),
        ('{"time":"2026-11-21T12:00:00.007Z","level":"info","msg":"started"}', (7, "info", "info", "started")),
        ('{"ts":1795262400.007,"severity":"WARNING","message":"slow"}', (7, "warn", "WARNING", "slow")),
        ('{"timestamp":1795262400007,"message":"ms"}', (7, "none", "", "ms")),
        ('{"a":1}', (-1, "none", "", '{"a":1}')),
        ('{"a":', (-1, "none", "", '{"a":')),
    ],
)
def test_any_line(line: str, record: Said) -> None:
    """A JSON object, a leading time, a leading level, or plain text: nothing is read from inside a message."""
    assert [record] == said(f"{line}\n")


@pytest.mark.parametrize("value", ["20000000000", "99999999999.5", "9.9e19", "18446744073709551616"])
def test_a_time_that_cannot_be_sent_is_none(value: str) -> None:
    """OTLP's times end in the year 2554: a number beyond that stays a field, and the line is sent."""
    assembler = Assembler(1 << 18, ANY)
    [record] = singles([*assembler.feed(f'{{"ts":{value},"msg":"m"}}\n'.encode(), 1), *assembler.flush()])
    assert (0, b"m", ["pipeline.log.field.ts"]) == (record.time_ns, record.body, list(dict(record.attributes)))


def test_the_fields_of_a_json_line_are_attributes() -> None:
    """With their types; what is no field is left out."""
    assembler = Assembler(1 << 18, ANY)
    line = b'{"level":"info","msg":"m","rows":3,"ok":true,"rate":0.5,"who":{"id":1},"no":null,"text":"t"}\n'
    [record] = singles([*assembler.feed(line, 1), *assembler.flush()])
    assert {
        "pipeline.log.field.rows": 3,
        "pipeline.log.field.ok": True,
        "pipeline.log.field.rate": 0.5,
        "pipeline.log.field.who": '{"id":1}',
        "pipeline.log.field.text": "t",
    } == dict(record.attributes)


def test_a_level_that_is_not_known_is_a_field() -> None:
    """Nothing of a line is lost."""
    assembler = Assembler(1 << 18, ANY)
    [record] = singles([*assembler.feed(b'{"level":"verbose","msg":"m"}\n', 1), *assembler.flush()])
    assert ("none", {"pipeline.log.field.level": "verbose"}) == (record.severity, dict(record.attributes))


def test_plain_lines_are_records_of_their_own() -> None:
    """Where no line has a head; indented ones belong to the line before."""
    text = "one\ntwo\n  more of two\n\nthree\n"
    assert ["one", "two\n  more of two", "three"] == [body for *_, body in said(text)]


def test_plain_lines_after_a_head_belong_to_it() -> None:
    """A traceback ends with a line that is not indented."""
    text = "ERROR failed\nTraceback:\n  File x\nValueError: y\nINFO next\n"
    assert ["failed\nTraceback:\n  File x\nValueError: y", "next"] == [body for *_, body in said(text)]
