"""Every shape of head."""

from __future__ import annotations

import pytest

from exporter.logs.records import Assembler, Record
from exporter.logs.run import singles

TIME = b"2026-11-21T07:40:12.143983Z"
TIME_NS = 1795246812143983000
CLOSING = b' pipeline-id="01a1" pipeline-name="N/A"'


def only(line: bytes) -> Record:
    """Return the one record of a line."""
    assembler = Assembler(256 * 1024)
    (record,) = singles(assembler.feed(line + b"\n", 1) + assembler.flush())
    return record


SHAPES = (
    (b"[manager] %b ERROR a::b: no\xc3\xa9" % TIME + CLOSING, ("error", b"ERROR", b"a::b", b"", "noé".encode())),
    (b"[manager] %b  INFO a::b: x: y:  z" % TIME, ("info", b"INFO", b"a::b", b"", b"x: y:  z")),
    (b"[orders] %b  WARN a:  m f=1" % TIME, ("warn", b"WARN", b"a", b"", b"m f=1")),
    (b"[orders host=2] %b TRACE a::b:   m " % TIME, ("trace", b"TRACE", b"a::b", b"", b" m ")),
    (
        b"[o] \x1b[2m%b\x1b[0m \x1b[34mDEBUG\x1b[0m \x1b[2ma::b\x1b[0m\x1b[2m:\x1b[0m  m \x1b[3mk\x1b[0m\x1b[2m=\x1b[0m1" % TIME,
        ("debug", b"DEBUG", b"a::b", b"", b"m k=1"),
    ),
    (
        b"[o] \x1b[2m%b\x1b[0m \x1b[32m INFO\x1b[0m \x1b[1meval\x1b[0m\x1b[1m{\x1b[0m\x1b[3mw\x1b[0m\x1b[2m=\x1b[0m3 x\x1b[1m}\x1b[0m"
        b"\x1b[2m:\x1b[0m\x1b[1mstep\x1b[0m\x1b[2m:\x1b[0m \x1b[2ma::b\x1b[0m\x1b[2m:\x1b[0m  m" % TIME,
        ("info", b"INFO", b"a::b", b"eval{w=3 x}:step", b"m"),
    ),
    (b"[o] %b  INFO a: b{w=3 x}: c: a::b:  m: n:  o" % TIME, ("info", b"INFO", b"a::b", b"a: b{w=3 x}: c", b"m: n:  o")),
    (
        b"[o] \x1b[2m%b\x1b[0m \x1b[32m INFO\x1b[0m \x1b[1mtransaction\x1b[0m\x1b[2m:\x1b[0m \x1b[1mstep\x1b[0m\x1b[2m:\x1b[0m "
        b"\x1b[2ma::b\x1b[0m\x1b[2m:\x1b[0m  m" % TIME,
        ("info", b"INFO", b"a::b", b"transaction: step", b"m"),
    ),
    (b"[o] %b  INFO no target here: x:  y" % TIME, ("info", b"INFO", b"", b"", b"no target here: x:  y")),
    (b"[control-plane] %b  INFO Error: x" % TIME, ("info", b"INFO", b"", b"", b"Error: x")),
    (b"[pipeline-01a1fd0c-5193] %b  INFO a::b: m" % TIME, ("info", b"INFO", b"a::b", b"", b"m")),
    (b"[manager] \x1b[2m%b\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2ma\x1b[0m\x1b[2m:\x1b[0m  m" % TIME + CLOSING,
     ("info", b"INFO", b"a", b"", b"m" + CLOSING)),
)  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), SHAPES)
def test_a_head_says_time_level_target_and_spans(line: bytes, expected: tuple[str | bytes, ...]) -> None:
    """Each part is found at its place, colours go, and the message is what remains."""
    record = only(line)

    assert expected == (record.severity, record.severity_text, record.target, record.spans, record.body)
    assert TIME_NS == record.time_ns


@pytest.mark.parametrize(
    "line",
    [
        b"[orders] 2026-11-21 07:40:12 INFO a:  m",
        b"[orders] %b FATAL a:  m" % TIME,
        b"[orders] ERROR at %b" % TIME,
        b" [orders] %b  INFO a:  m" % TIME,
        b"%b  INFO a:  m" % TIME,
        b'{"timestamp":"%b","level":"LOUD","fields":{"message":"m"}}' % TIME,
        b'{"timestamp":"%b","level":"INFO","fields":{"message":"m"}' % TIME,
        b"0 ERROR-free tasks; INFO done",
    ],
)
def test_what_is_no_head_says_nothing(line: bytes) -> None:
    """Time and severity are never guessed from a message."""
    assert Record(0, 1, "none", b"", line, b"", b"", 0, (), 0) == only(line)


@pytest.mark.parametrize(
    "time", [b"2026-13-21T07:40:12.143983Z", b"9999-11-21T07:40:12.143983Z", b"1969-12-31T23:59:59Z"]
)
def test_a_time_that_is_none_is_left_out(time: bytes) -> None:
    """The level counts all the same."""
    record = only(b"[o] %b  INFO a:  m" % time)

    assert (0, "info", b"m") == (record.time_ns, record.severity, record.body)


def test_a_runners_message_of_several_lines_loses_its_closing_fields() -> None:
    """They stand on its last line."""
    assert b"one\ntwo" == only(b"[manager] %b ERROR a::b: one\ntwo" % TIME + CLOSING).body


def test_json_fields_keep_their_types() -> None:
    """Fields beside the message become attributes: objects as JSON text, null left out; spans as text lines write them."""
    record = only(
        b'{"timestamp":"%b","level":"WARN","target":"a::b","feldera-service":"pipeline","pipeline-name":"p","pipeline-id":"i",'
        b'"extra":1,"fields":{"message":"\\u001b[1mm\\u001b[0m","s":"x","n":-3,"f":1.5,"t":true,"z":null,"o":{"k":[1]},'
        b'"big":18446744073709551616},"span":{"name":"in"},"spans":[{"name":"out","w":3},{"name":"in"}]}' % TIME
    )

    assert (TIME_NS, "warn", b"WARN", b"m", b"a::b", b"out{w=3}:in") == (record.time_ns, *record[2:7])
    assert (
        ("extra", 1), ("s", "x"), ("n", -3), ("f", 1.5), ("t", True), ("o", '{"k":[1]}'), ("big", "18446744073709551616"),
    ) == tuple((name.removeprefix("pipeline.log.field."), value) for name, value in record.attributes)  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [b'{"n":1}', b'{"message":["m"]}', b'{"message":"m","x":"%b"}' % (b"y" * 40_000)],
    ids=["none", "odd", "large"],
)
def test_a_json_line_that_cannot_be_fields_stays_whole(fields: bytes) -> None:
    """Without a message, or with more than attributes may hold, the body is the line itself."""
    line = b'{"timestamp":"%b","level":"INFO","fields":%b}' % (TIME, fields)

    assert line == only(line).body


PANIC = b"thread 'a' (1) panicked at src/x.rs:1:2:"


def panics_of(*lines: bytes) -> list[tuple[bytes, dict[str, str | int | float | bool]]]:
    """Return body and attributes of each record of these lines."""
    assembler = Assembler(256 * 1024)
    found = singles(assembler.feed(b"\n".join(lines) + b"\n", 1) + assembler.flush())
    return [(record.body, dict(record.attributes)) for record in found]


def test_others_lines_inside_a_panic_are_records_of_their_own() -> None:
    """The panic stays whole and comes first, as its first line did; the lines in between keep their order."""
    runner, own = b"[manager] %b  INFO a::b: r" % TIME + CLOSING, b"[o] %b  INFO a::b:  p" % TIME
    found = panics_of(
        PANIC,
        runner,
        b"message",
        b"stack backtrace:",
        b"   0: f",
        own,
        b"             at x.rs:1",
        runner,
        b"   1: g",
        b"",
        own,
    )

    block = PANIC + b"\nmessage\nstack backtrace:\n   0: f\n             at x.rs:1\n   1: g"
    said = {
        "exception.type": "panic",
        "exception.message": "message",
        "exception.stacktrace": block[len(PANIC) + 9 :].decode(),
    }
    assert [(block, said), (b"r", {}), (b"p", {}), (b"r", {}), (b"p", {})] == found


def test_the_next_run_is_not_part_of_a_panic() -> None:
    """Text that is no backtrace belongs to the runner's line before it."""
    runner = b"[manager] %b  INFO a::b: start" % TIME + CLOSING

    assert [PANIC + b"\nboom", b"start\nPipeline configuration\n  {}"] == [
        body for body, _ in panics_of(PANIC, b"boom", runner, b"Pipeline configuration", b"  {}")
    ]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((PANIC,), ""),
        ((PANIC, b"one", b"two", b"note: run with `RUST_BACKTRACE=1`"), "one\ntwo"),
        ((b"thread 'a' panicked at 'old', src/x.rs:1:2", b"note: run"), "old"),
        ((b"thread 'a' panicked at 'old", b"two', src/x.rs:1:2"), "old\ntwo"),
    ],
)
def test_a_panics_message(lines: tuple[bytes, ...], message: str) -> None:
    """The message stands before backtrace and notes; older Rust has it in quotes."""
    assert [(b"\n".join(lines), {"exception.type": "panic", "exception.message": message})] == panics_of(*lines)


def test_blank_lines_stay_inside_a_record_and_go_at_its_end() -> None:
    """White space alone is no blank line."""
    assembler = Assembler(256 * 1024)
    found = singles(assembler.feed(b"\n\na\n\n\nb\n \n\n\x1b[0m\n[o] %b  INFO a:  \n\n" % TIME, 1) + assembler.flush())

    assert [b"a\n\n\nb\n ", b""] == [record.body for record in found]


def test_a_long_record_goes_on_in_parts() -> None:
    """Parts end between lines, a line that is too long between characters; head and number go on."""
    assembler = Assembler(10)
    lines = b"[o] %b  INFO a:  12345\n678\nabc\n%b\nend\n" % (TIME, "é€😀".encode() * 2)
    found = singles(assembler.feed(lines, 1) + assembler.flush())

    assert [
        (0, 0, b"12345\n678"),
        (1, 2, b"abc"),
        (2, 3, "é€😀".encode()),
        (3, 3, "é€😀".encode()),
        (4, 4, b"end"),
    ] == [(record.part, record.first_line, record.body) for record in found if record.time_ns == TIME_NS]
