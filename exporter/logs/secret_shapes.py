"""What secrets look like: the default patterns, each as an expression that finds it and one that cuts it out.

The first kind (`SUSPICIONS`) is searched in every line, so it is simple enough for a scanner of many patterns at once,
and finds all that the second kind would. The second kind (`SHAPES`) is only tried on lines that are suspicious.
"""

from __future__ import annotations

import re
from typing import Final

REDACTED: Final = b"[redacted]"

_PLAIN_WORDS: Final = (
    "passw(?:or)?d|passphrase|secret|credentials?|[_-]pwd|(?-i:pwd|Pwd)|"
    "(?:api|access|account|private|secret|signing|encryption|shared)[_-]?key(?:[_-]?id)?"
)
_GUESSED_WORDS: Final = "token"
"""Also a word of parsers: its value counts as a secret only in quotes, or when it looks like one."""

_COLOURS: Final = r"(?:\x1b\[[0-9;]*m)*"
_SEPARATOR: Final = rf"""\\*["']?{_COLOURS}[ \t]*{_COLOURS}(?:=>|[=:]){_COLOURS}[ \t]*{_COLOURS}"""
# Possessive, so that what must not follow cannot be had by giving back.
_WRAPPERS: Final = r"(?:[A-Za-z]\w*\()*+"
_QUOTED: Final = r"""\\"(?:[^"\\]|\\[^"])+?\\"|"(?:[^"\\]|\\.)+"|'(?:[^'\\]|\\.)+\'"""
_UNCLOSED: Final = r"""\\?["'](?:[^"'\\]|\\.)+$"""
_HARMLESS: Final = r"""(?:null|none|true|false)\b|\\?["']?(?:\$\{|\[redacted\]|\*{3})|[\[{(]|\w+\($|[|>][+-]?[ \t]*$"""
"""No value, a reference to one, one hidden already, or the beginning of one on further lines."""
_VALUE: Final = r"""[^\s"',;&)}\]\x1b\\]+"""
_WITH_DIGIT: Final = r"""(?=[^\s"',;&)}\]\x1b\\]*[0-9])[A-Za-z0-9_\-./+=~:]{8,}"""

TOKENS: Final = (
    r"(?:AKIA|ASIA)[A-Z0-9]{16}",
    r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]+){2,4}",
    r"apikey:[A-Za-z0-9_-]{8,}",
    r"apify_api_[A-Za-z0-9]{16,}",
    r"cqt_[A-Za-z0-9]{16,}",
    r"gh[pousr]_[A-Za-z0-9]{30,}",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"glpat-[A-Za-z0-9_-]{20,}",
    r"xox[abeprs]-[A-Za-z0-9-]{10,}",
    r"AIza[A-Za-z0-9_-]{35}",
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}",
    r"sk-[A-Za-z0-9_-]{20,}",
)
"""Secrets that are known by their own form."""

SUSPICIONS: Final[tuple[tuple[str, bool], ...]] = (
    (rf"""(?:{_PLAIN_WORDS}|{_GUESSED_WORDS}|authorization)["'\\\x1b\[0-9;m \t]*[=:]""", True),
    (r"bearer[ ]+[a-z0-9]", True),
    (r"://[^\s/@]*:[^\s/]+@", False),
    (r"[?&](?:sig|x-amz-signature)=", True),
    (r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY", False),
    *((token, False) for token in TOKENS),
)
"""Expressions, and whether they ignore case."""


def _compiled(expression: str, flags: int = 0) -> re.Pattern[bytes]:
    return re.compile(expression.encode(), flags)


# Not after `::`, where it is a module of Rust in the head of a line.
_NAME: Final = r"(?<![A-Za-z0-9_.-])(?<!::)(?<!\$\{)([A-Za-z0-9_.-]*?(?:%s))"
_FIELD: Final = _compiled(
    rf"{_NAME % _PLAIN_WORDS}({_SEPARATOR}{_WRAPPERS})(?!{_HARMLESS})({_QUOTED}|{_UNCLOSED}|{_VALUE})", re.IGNORECASE
)
_GUESSED_FIELD: Final = _compiled(
    rf"{_NAME % _GUESSED_WORDS}({_SEPARATOR}{_WRAPPERS})(?!{_HARMLESS})({_QUOTED}|{_UNCLOSED}|{_WITH_DIGIT})",
    re.IGNORECASE,
)
_SCHEME: Final = r"""\\*["']?(?>(?:(?:bearer|basic|token|apikey)[ ]+)?)"""
_AUTHORIZATION: Final = _compiled(
    rf"{_NAME % 'authorization'}({_SEPARATOR}{_WRAPPERS}{_SCHEME})(?!{_HARMLESS})({_VALUE})", re.IGNORECASE
)
_BEARER: Final = _compiled(r"(bearer)([ ]+)((?=[^\s]*[0-9])[A-Za-z0-9\-._~+/:]{8,}=*)", re.IGNORECASE)
_URL: Final = _compiled(r"""(://[^\s:/@"']*)(:)(?!\[redacted\]@)([^\s/"']+)(?=@)""")
_SIGNATURE: Final = _compiled(r"([?&](?:sig|x-amz-signature))(=)(?!\[redacted\])([^\s&\"']+)", re.IGNORECASE)
_TOKEN: Final = _compiled(r"(?<![A-Za-z0-9_-])()()(" + "|".join(TOKENS) + ")")

_FIELD_LITERALS: Final = (b"passw", b"passphrase", b"secret", b"credential", b"pwd", b"key")
_TOKEN_LITERALS: Final = (
    *(b"akia", b"asia", b"eyj", b"apikey:", b"apify_api_", b"cqt_", b"glpat-", b"xox", b"aiza", b"sk-"),
    *(b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_", b"k_live_", b"k_test_"),
)

SHAPES: Final[tuple[tuple[tuple[bytes, ...], re.Pattern[bytes]], ...]] = (
    (_TOKEN_LITERALS, _TOKEN),
    ((b"@",), _URL),
    ((b"authorization",), _AUTHORIZATION),
    ((b"bearer ",), _BEARER),
    (_FIELD_LITERALS, _FIELD),
    ((b"token",), _GUESSED_FIELD),
    ((b"sig=", b"signature="), _SIGNATURE),
)
"""Expressions with three groups: what stays, the separator, the secret. Before each, what it has in it, in lower case."""

LITERALS: Final = (*{literal for literals, _ in SHAPES for literal in literals}, b"-----begin")
"""In lower case: whatever is suspicious has one of them, and ends no earlier."""

_QUOTE = re.compile(rb"""\\*["']""")


def cut_out(line: bytes) -> tuple[bytes, int]:
    """Return a line with its secrets replaced, and how many they were."""
    found = 0
    text = line.lower()
    for literals, shape in SHAPES:
        at = min((place for literal in literals if (place := text.find(literal)) >= 0), default=-1)
        if at < 0:
            continue
        begin = line.rfind(b" ", 0, at) + 1  # the expressions are slow: nothing before this word can be part of it
        rest, count = shape.subn(_replacement, line[begin:])
        if count:
            line = line[:begin] + rest
            text = line.lower()
            found += count
    return line, found


def _replacement(match: re.Match[bytes]) -> bytes:
    """Replace a secret; its quotes stay, so that a JSON line stays JSON."""
    name, separator, secret = match.groups()
    quote = _QUOTE.match(secret)
    marks = quote[0] if quote else b""
    return name + separator + marks + REDACTED + marks


PEM: Final = re.compile(
    rb"""(-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----)([^"']*?)(-----END [A-Z0-9 ]*PRIVATE KEY-----|["']|$)"""
)
"""A private key, or its beginning; on one line where `\\n` stands for its newlines."""
PEM_END: Final = re.compile(rb"-----END [A-Z0-9 ]*PRIVATE KEY-----")
PEM_LINE: Final = re.compile(rb"[ \t]*[A-Za-z0-9+/=]{40,}[ \t\r]*")
PEM_LAST_LINE: Final = re.compile(rb"[ \t]*[A-Za-z0-9+/=]+[ \t\r]*")

OPENED_VALUE: Final = _compiled(
    rf"(?:{_PLAIN_WORDS}|{_GUESSED_WORDS})(?:{_SEPARATOR})(?:{_WRAPPERS}(?<=\()|[|>][+-]?)[ \t]*$", re.IGNORECASE
)
"""A field whose value is on the next line: `password: Some(` of Rust's pretty Debug, `password: |` of YAML."""
OPENINGS: Final = (b"(", b"|", b">", b"|-", b">-", b"|+", b">+")
NEXT_VALUE: Final = re.compile(rb"""([ \t]+["']?)([^\s"'][^"']*?)(["']?,?[ \t]*)""")
