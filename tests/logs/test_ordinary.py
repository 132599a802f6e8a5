"""Lines read many at a time against the same lines read one by one, and what is not ordinary among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.logs import ansi, heads, ordinary
from exporter.logs.expression import Expression
from exporter.logs.records import Assembler
from exporter.logs.run import Run, singles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.logs.layout import Layout
    from exporter.logs.ordinary import Reader

COLOURED = (
    b"[p] \x1b[2m",
    b"2026-11-21T07:40:12",
    b".143983Z\x1b[0m ",
    b"\x1b[32m INFO\x1b[0m ",
    b"\x1b[1mstep\x1b[0m\x1b[1m{\x1b[0m\x1b[3mid\x1b[0m\x1b[2m=\x1b[0m3\x1b[1m}\x1b[0m\x1b[2m:\x1b[0m ",
    b"\x1b[2ma::b\x1b[0m\x1b[2m:\x1b[0m  ",
    b"said \x1b[3mn\x1b[0m\x1b[2m=\x1b[0m1",
)
PLAIN = tuple(ansi.strip(part) for part in COLOURED)
SCRAPS = (
    b"",
    b":",
    b"::",
    b": ",
    b":  ",
    b"\x1b[",
    b"\x1b]",
    b"\x1b[0m",
    b" ",
    b"[p] ",
    b"Z",
    b"\x07",
    b"{",
    b"}",
    b"a::b:  ",
    b"9",
    b"\xe9",
)
parts = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 40), st.sampled_from(SCRAPS)), max_size=3)


@pytest.fixture(autouse=True, scope="module", params=[Expression, ordinary.reader], ids=["expression", "fastest"])
def _reader(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the lines read by each of the readers; without a compiler both are the same."""
    with pytest.MonkeyPatch.context() as patch:
        make: Callable[[Layout], Reader] = request.param
        patch.setattr(ordinary, "reader", make)
        yield


def line(shape: Sequence[bytes], changes: list[tuple[int, int, bytes]], *, spans: bool) -> bytes:
    """Return a line of this shape with scraps of syntax put into some of its parts."""
    made = [part if spans or nth != 4 else b"" for nth, part in enumerate(shape)]
    for nth, at, scrap in changes:
        made[nth] = made[nth][:at] + scrap + made[nth][at:]
    return b"".join(made).replace(b"\xe9", "é".encode())


lines = st.builds(line, st.sampled_from([COLOURED, PLAIN]), parts, spans=st.booleans())


@given(st.lists(lines, min_size=1, max_size=12))
def test_an_ordinary_line_is_read_as_if_alone(texts: list[bytes]) -> None:
    """Whatever is put into the lines: a record of a run is what the plain reader of heads makes of its line."""
    assembler = Assembler(100_000)
    found = assembler.feed(b"\n".join([*texts, b""]), 7)
    for run in (one for one in found if isinstance(one, Run)):
        for record in singles([run]):
            text = texts[record.first_line]
            head = heads.parse(text, ansi.strip(text))
            assert head is not None
            assert (*head[:6], head.attributes, head.unfinished) == (
                *(record.time_ns, record.severity, record.severity_text, record.body, record.target, record.spans),
                *((), False),
            )


@pytest.mark.parametrize("shape", [COLOURED, PLAIN])
@pytest.mark.parametrize("spans", [True, False])
def test_ordinary_lines_make_one_run(shape: Sequence[bytes], spans: bool) -> None:
    """With and without colours and spans lines are read many at a time; the last stays open."""
    block = (line(shape, [], spans=spans) + b"\n") * 10
    (run,) = Assembler(1000).feed(block, 7)

    assert isinstance(run, Run)
    assert (9, {b"said n=1"}) == (run.count, set(run.bodies))


def test_other_lines_part_runs() -> None:
    """Lines without head, and one in the middle of which a head seems to stand, are given in their place."""
    one = line(PLAIN, [], spans=False) + b"\n"
    layout = ordinary.learn(one)
    assert layout is not None
    block = one + one + b"more\n\n" + one + b"not at the start: " + one + b"end\n" + one
    found = list(ordinary.reader(layout).read(block, 100))

    texts = [part if isinstance(part, bytes) else part.lines() for part in found]
    assert [one + one, b"more\n\n", one, b"not at the start: " + one + b"end\n", one] == texts
    assert [False, True, False, True, False] == [isinstance(part, bytes) for part in found]


@given(st.lists(lines | st.sampled_from([b"", b"more", b"[p] ", b"[manager] x", b"\xe9"]), min_size=1, max_size=12))
def test_every_line_is_given_once_and_in_order(texts: list[bytes]) -> None:
    """Whatever the lines are, those of the parts are those of the block; and bodies are no longer than allowed."""
    block = b"\n".join([*texts, b""])
    layout = ordinary.learn(block)
    parts = [] if layout is None else list(ordinary.reader(layout).read(block, 20))

    assert b"".join(part if isinstance(part, bytes) else part.lines() for part in parts) == (block if layout else b"")
    assert all(len(body) <= 20 for part in parts if not isinstance(part, bytes) for body in part.bodies)


def test_a_pipeline_named_as_another_writer_is_told_by_its_colours() -> None:
    """`[manager]` without colours is the runner; `[control-plane]` has lines of its own shape in any case."""
    layouts = [ordinary.learn(b"%b \x1b[2m2026-" % name) for name in (b"[manager]", b"[control-plane]")]
    plain = [ordinary.learn(b"%b 2026-" % name) for name in (b"[manager]", b"[control-plane]")]

    assert [True, False, False, False] == [layout is not None for layout in layouts + plain]
