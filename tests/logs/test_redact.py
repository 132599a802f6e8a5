"""Secrets are replaced, and nothing else."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import scanner as scanners
from exporter.logs.redact import Redactor
from exporter.logs.secret_shapes import SHAPES, SUSPICIONS
from tests.logs.streams import cut, streams

SECRETS = (
    ('  "password": "hunter2",', '  "password": "[redacted]",'),
    ('  "sasl.password" : "a \\" b",', '  "sasl.password" : "[redacted]",'),
    ("password: hunter2", "password: [redacted]"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key = [redacted]"),
    ('S3 { access_key_id: Some("x"), region: "eu" }', 'S3 { access_key_id: Some("[redacted]"), region: "eu" }'),
    ('Auth { secret: Secret("x y"), user: "u" }', 'Auth { secret: Secret("[redacted]"), user: "u" }'),
    ('jaas=Module required password=\\"s3\\" x;', 'jaas=Module required password=\\"[redacted]\\" x;'),
    ('{"line":"{\\"clientSecret\\": \\"x\\"}"}', '{"line":"{\\"clientSecret\\": \\"[redacted]\\"}"}'),
    ("postgres://bob:p@ss@db:5432/x", "postgres://bob:[redacted]@db:5432/x"),
    ("redis://:pass@host", "redis://:[redacted]@host"),
    ("Authorization: Bearer abcdef12345", "Authorization: Bearer [redacted]"),
    ('"authorization": "Basic dXNlcjpwYXNz"', '"authorization": "Basic [redacted]"'),
    ("sent bearer abcdef12345 off", "sent bearer [redacted] off"),
    ("API_KEY=abc X-Api-Key: def", "API_KEY=[redacted] X-Api-Key: [redacted]"),
    ("token=abc12345xyz", "token=[redacted]"),
    ("\x1b[3mpassword\x1b[0m\x1b[2m=\x1b[0mabc x", "\x1b[3mpassword\x1b[0m\x1b[2m=\x1b[0m[redacted] x"),
    ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."),
    ("jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF-_x", "jwt [redacted]"),
    ("key apikey:0aKFj50iEsomething ok", "key [redacted] ok"),
    ("ghp_" + "a1" * 18, "[redacted]"),
    ("https://x.blob/y?sv=1&sig=abc%3D&se=2", "https://x.blob/y?sv=1&sig=[redacted]&se=2"),
    ('password="never closed', 'password="[redacted]"'),
)

HARMLESS = (
    "unexpected token: foo",
    "tokens: 5, password policy: strict",
    "bearer authentication is needed",
    "http://host:8080/path?mail=a@b.example",
    "[x] 2026-11-21T07:40:15.123456Z  INFO aws_config::credentials:  loaded provider",
    '"credentials": {',
    '"password": null, "token": true, "secret": ""',
    'secret_access_key: "${secret:kubernetes:a/b}"',
    "primary key: id, monkey: x",
    "PWD=/home/x",
    "password=",
    "the-eyJ word, basic functionality, task-force_one",
)


@pytest.fixture(params=["library", "literals"])
def _scanner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run with the library of many patterns, and without it."""
    if request.param == "library":
        pytest.importorskip("hyperscan")
    else:
        monkeypatch.setattr("exporter.logs.redact.scanner", scanners.LiteralScanner)


def redacted(text: str, patterns: tuple[str, ...] = (), *, defaults: bool = True) -> tuple[str, int]:
    """Return the text redacted by a new redactor, and the number of secrets."""
    block, found = Redactor(defaults=defaults, patterns=patterns).redact(text.encode() + b"\n")
    return block[:-1].decode(), found


@pytest.mark.usefixtures("_scanner")
@pytest.mark.parametrize(("text", "expected"), SECRETS)
def test_secrets_are_replaced(text: str, expected: str) -> None:
    """A secret becomes `[redacted]`; what is around it stays, and a second time changes nothing."""
    actual, found = redacted(text)

    assert expected == actual
    assert expected.count("[redacted]") == found
    assert (expected, 0) == redacted(expected)


@pytest.mark.usefixtures("_scanner")
@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_sounds_secret_stays(text: str) -> None:
    """Prose, references to secrets and empty values are left as they are."""
    assert (text, 0) == redacted(text)


@pytest.mark.parametrize(("text", "_expected"), SECRETS)
def test_a_suspicion_ends_in_every_line_with_a_secret(text: str, _expected: str) -> None:
    """Both scanners find every line that a shape would change."""
    assert any(shape.search(text.encode()) for _, shape in SHAPES)
    assert any(re.search(found, text, re.IGNORECASE if caseless else 0) for found, caseless in SUSPICIONS)
    assert scanners.LiteralScanner().ends(text.encode())


KEY = """a
-----BEGIN RSA PRIVATE KEY-----
{data}
[manager] between
abc=
-----END RSA PRIVATE KEY-----
password: Some(
[life] between
    "hunter2",
)
token: |
   foo bar
next
"""


@pytest.mark.usefixtures("_scanner")
@given(at=st.lists(st.integers(0, 300), max_size=8))
def test_secrets_over_several_lines_are_replaced_in_any_blocks(at: list[int]) -> None:
    """Private keys and values on the line after their name go, also when blocks part them and others write between."""
    redactor = Redactor(defaults=True, patterns=())
    lines = KEY.format(data="M" * 64).encode().splitlines(keepends=True)
    blocks = [redactor.redact(b"".join(part)) for part in _parted(lines, at)]

    expected = KEY.format(data="[redacted]").replace("abc=", "[redacted]").replace("hunter2", "[redacted]")
    assert expected.replace("foo bar", "[redacted]") == b"".join(block for block, _ in blocks).decode()
    assert 3 == sum(found for _, found in blocks)


def _parted(lines: list[bytes], at: list[int]) -> list[list[bytes]]:
    marks = sorted({0, len(lines), *(place % len(lines) for place in at)})
    return [lines[begin:end] for begin, end in pairwise(marks)]


@given(streams, st.lists(st.integers(0, 10_000), max_size=5))
def test_the_number_of_lines_never_changes(stream: bytes, at: list[int]) -> None:
    """Positions count lines after redaction, so that a secret takes no newline with it."""
    redactor = Redactor(defaults=True, patterns=("a[^b]*", r"\s+", "x*"))
    for part in cut(stream, at):
        block = part.rpartition(b"\n")[0] + b"\n"
        assert block.count(b"\n") == redactor.redact(block)[0].count(b"\n")


def test_a_clean_block_is_not_copied() -> None:
    """What holds nothing comes back as the same object."""
    block = b"nothing to see\n" * 100

    assert block is Redactor(defaults=True, patterns=("never",)).redact(block)[0]


def test_the_users_patterns_replace_what_they_match() -> None:
    """Each match is replaced and counted, Unicode and anchors included; an empty match is none."""
    assert ("id [redacted] of [redacted]", 2) == redacted("id 4711 of é-user", (r"\d{4}", "é-\\w+$", "z*"))


def test_defaults_can_be_turned_off() -> None:
    """Without defaults only the user's patterns count."""
    assert ("password=x", 0) == redacted("password=x", defaults=False)


def test_a_bad_pattern_is_refused() -> None:
    """A pattern that is no regular expression raises when the redactor is made."""
    with pytest.raises(re.error):
        Redactor(defaults=True, patterns=("(",))


@given(st.integers(0, 3))
def test_invalid_bytes_pass_the_users_patterns(count: int) -> None:
    """Bytes that are no UTF-8 are handed on for the records to replace."""
    block = b"\xff" * count + b" secretly 12\n"

    assert (b"\xff" * count + b" secretly [redacted]\n", 1) == Redactor(defaults=True, patterns=(r"\d+",)).redact(block)


def test_recorded_streams_hold_no_secret() -> None:
    """Nothing in the logs of a real server without credentials is taken for one."""
    recordings = Path(__file__).parents[3] / "shared" / "recordings" / "feldera"
    for path in sorted(recordings.glob("0[345]-*logs*/body")):
        block = path.read_bytes().rpartition(b"\n")[0] + b"\n"
        assert (block, 0) == Redactor(defaults=True, patterns=()).redact(block), path.parent.name
