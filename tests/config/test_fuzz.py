"""Whatever a file holds, loading it ends in a configuration or a ConfigError."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import ConfigError, load, load_web, schema
from tests.config.cases import BAD, ENVIRON, GOOD

_SOURCES = [file.read_bytes().decode(errors="replace") for file in (*GOOD, *BAD)]
_MADE = schema()
_KEYS = sorted({key for block in (_MADE, *_MADE["$defs"].values()) for key in block.get("properties", {})})
_YAML_PIECES = st.sampled_from(
    [*"[]{}:-?,&*!|>'\"%@`#\n \t\x85\ufeff$", "${A", "&a ", "*a ", "<<: ", "!!int ", "\\U1", "- ", "? "]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["15s", "1GiB", "${SECRET}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=20,
)


def _load_bytes(content: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
        path = Path(file.name)
        path.write_bytes(content)
        with suppress(ConfigError):
            load(path, ENVIRON)
        with suppress(ConfigError):
            load_web(path)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
@settings(deadline=None)
def test_arbitrary_content(content: bytes) -> None:
    """Arbitrary bytes and text never raise anything else."""
    _load_bytes(content)


@given(st.lists(_YAML_PIECES | st.sampled_from(_KEYS) | st.text(max_size=3), max_size=30).map("".join))
@settings(deadline=None)
def test_arbitrary_yaml(text: str) -> None:
    """Pieces of YAML in any order never raise anything else."""
    _load_bytes(text.encode(errors="surrogatepass"))


@given(st.sampled_from(_SOURCES), st.integers(0, 600), st.integers(0, 10), st.text(max_size=5))
@settings(deadline=None)
def test_damaged_configuration(text: str, start: int, length: int, inserted: str) -> None:
    """A configuration with a piece replaced never raises anything else."""
    _load_bytes((text[:start] + inserted + text[start + length :]).encode(errors="surrogatepass"))


@given(
    st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=6),
    st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=8),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_wrong_types(top: dict[str, object], source: dict[str, object]) -> None:
    """Values of any type behind any key never raise anything else."""
    document = {"sources": [{"name": "a", "provider": "feldera", "url": "http://h"} | source]} | top
    _load_bytes(yaml.safe_dump(document).encode())


def test_deep_nesting() -> None:
    """Nesting beyond Python's own stack is refused."""
    _load_bytes(b"[" * 20_000)
    _load_bytes(b"a: " + b"[" * 200 + b"]" * 200)


def test_alias_bomb() -> None:
    """Aliases of aliases do not grow without bound."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    _load_bytes("\n".join(lines).encode())
