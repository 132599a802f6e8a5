"""The page for people."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from exporter.status.model import STATES
from exporter.web import ConfigOverview, JournalOverview, SourceOverview, TransitionOverview, wording
from exporter.web.markup import Html, Templates, escape
from exporter.web.overview import STATES_FAILING_FIRST, Overview, select
from exporter.web.page import PAGE_PIPELINES, render
from tests.web.fake import NOW, FakeService, pipeline

if TYPE_CHECKING:
    import aiohttp

    from tests.web.conftest import Start

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{css}\x00\x1b[31m\u202egpj.exe\ud800"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)


def _parse(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    return parser


def _render(service: FakeService, *, source: str | None = None, q: str = "") -> Html:
    overview = service.overview(source=source, q=q, limit=PAGE_PIPELINES)
    return render(overview, source=source, q=q, now_seconds=NOW)


def _hostile() -> Overview:
    source = SourceOverview(HOSTILE, HOSTILE, HOSTILE, up=False, last_error=HOSTILE, server_version=HOSTILE)
    shown = pipeline(
        HOSTILE,
        HOSTILE,
        HOSTILE,
        statuses={HOSTILE: HOSTILE},
        desired={HOSTILE: "x" + HOSTILE},
        error_code=HOSTILE,
        error_text=HOSTILE,
    )
    return Overview(
        version=HOSTILE,
        started_at_seconds=NOW,
        sources=[source],
        pipelines=[shown],
        pipelines_matching=1,
        transitions=[TransitionOverview(1e300, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
        journal=JournalOverview(HOSTILE, 1, HOSTILE),
        config=ConfigOverview(last_reload_ok=False, last_reload_seconds=0, last_reload_error=HOSTILE),
    )


def test_states() -> None:
    """The page knows the whole vocabulary of states."""
    assert sorted(STATES) == sorted(STATES_FAILING_FIRST)


def test_hostile_texts() -> None:
    """Whatever names and messages hold, the page has only its own elements and shows no control characters."""
    page = render(_hostile(), source=HOSTILE, q=HOSTILE, now_seconds=NOW)
    parsed = _parse(page)
    assert 1 == parsed.tags.count("script")
    assert "img" not in parsed.tags
    assert set() == {name for name in parsed.attributes if name.startswith("on")}
    assert [] == re.findall("[\x00-\x08\x0b-\x1f\u202e\ud800]", page)
    assert page.encode().startswith(b"<!doctype html>")


def test_shows() -> None:
    """The page shows counts, health, errors, statuses, wishes, transitions and the journal."""
    page = _render(FakeService())
    for text in (
        "<title>1 failed · pipeline-exporter</title>",
        "<b>8</b> pipelines in 3 sources",
        "answered 401: the API key is not valid",
        "compiler-server</bdi> unhealthy: no compiler has answered since 09:12",
        "not polled yet",
        "<b>RuntimeError.WorkerPanic</b> worker 3 panicked at &#x27;attempt to add with overflow&#x27;</div>",
        "<b>2 connector errors</b>",
        "<em>wanted <bdi>Provisioned</bdi></em>",
        "<bdi>Provisioning</bdi> → <b><bdi>Provisioned</bdi></b>",
        "1 h 1 min ago",
        "<code>/var/lib/pipeline-exporter/journal.db</code> · 3.2 MiB",
        '<td class="number" data-label="log lines/s">1\u202f234</td>',
        "log lines/s <b>0.1</b>",
        'href="/metrics"',
        'href="/-/healthy"',
        'href="/-/ready"',
    ):
        assert text in page
    assert "stack backtrace" not in page


def test_alerts() -> None:
    """A refused configuration and a journal that cannot be written stand above everything else."""
    config = ConfigOverview(last_reload_ok=False, last_reload_seconds=NOW, last_reload_error="line 3: no")
    journal = JournalOverview("j", 0, last_commit_error="database or disk is full")
    page = _render(FakeService(config=config, journal=journal))
    assert 2 == page.count('role="alert"')
    assert page.index("line 3: no") < page.index("database or disk is full") < page.index("<h2>Sources")


@pytest.mark.parametrize(
    ("source", "q", "text"),
    [
        ("nope", "", "There is no source &#x27;nope&#x27;."),
        (None, "nope", "No pipeline has &#x27;nope&#x27; in its name."),
        ("new", "", "No pipelines yet: the first poll has not ended."),
    ],
)
def test_nothing_to_show(source: str | None, q: str, text: str) -> None:
    """An empty table says why it is empty."""
    assert text in _render(FakeService(), source=source, q=q)


def test_select() -> None:
    """Pipelines come failing first and then by name, filtered by source and by a part of the name in any case."""
    shown = [pipeline("b-Orders"), pipeline("a"), pipeline("z-orders", "failed"), pipeline("orders", source="x")]
    assert (["z-orders", "a"], 4) == (
        [each.name for each in select(shown, source=None, q="", limit=2)[0]],
        select(shown, source=None, q="", limit=2)[1],
    )
    assert ["z-orders", "b-Orders"] == [each.name for each in select(shown, source="prod", q="ORDERS", limit=9)[0]]


async def test_many_pipelines(start: Start) -> None:
    """Of 10,000 pipelines the first 500 are shown, failing first, and the others counted."""
    shown = [pipeline(f"p{number:05}") for number in range(9_999)] + [pipeline("zz", "failed")]
    client = await start(FakeService(shown=shown))
    async with client.get("/", headers={"Accept-Encoding": "gzip"}) as response:
        page = gzip.decompress(await response.read()).decode()
    names = re.findall(r'<td class="name"><bdi>(\w+)</bdi></td><td data-label="source">', page)
    assert (500, "zz", "p00498") == (len(names), names[0], names[-1])
    assert f"9{wording.count(1500)[1:2]}500 more pipelines not shown" in page


async def test_filter(client: aiohttp.ClientSession) -> None:
    """The filter in the address is applied and stands in the form."""
    async with client.get("/?source=prod&q=archive") as response:
        page = await response.text()
    assert ["archive-2023", "archive-2024"] == re.findall(r"<bdi>(archive-\d+)</bdi>", page)
    assert 'name="q" value="archive"' in page
    assert '<option value="prod" selected>' in page


async def test_policy_fits(client: aiohttp.ClientSession) -> None:
    """The policy allows exactly the style and the script that the page has, by their hashes."""
    async with client.get("/") as response:
        page, policy = await response.text(), response.headers["Content-Security-Policy"]
        assert "text/html; charset=utf-8" == response.headers["Content-Type"]
    for element in ("style", "script"):
        content = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert 1 == len(content)
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "style" not in _parse(page).attributes


def test_templates() -> None:
    """A template escapes what it is filled with, unless it is HTML, and fills it in once."""
    fill = Templates("about\n<!-- # a -->\n<p>{x}</p>{y}\n").fill
    assert "<p>&lt;{y}&gt;</p><br>\n" == fill("a", x="<{y}>", y=Html("<br>"))


def test_escape() -> None:
    """Line ends and tabs stay; what cannot be seen is made visible."""
    assert "a\n\tb\ufffd\ufffd&lt;" == escape("a\n\tb\r\u2066<")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("0 s", wording.span(0.2)),
        ("59 s", wording.span(59)),
        ("1 min", wording.span(59.9)),
        ("1 h 1 min", wording.span(3700)),
        ("3 d", wording.span(3 * 86400 + 5)),
        ("now", wording.distance(10, 10.2)),
        ("in 5 s", wording.distance(15, 10)),
        ("5 s ago", wording.distance(5, 10)),
        ("42 ms", wording.duration(0.042)),
        ("1.2 s", wording.duration(1.234)),
        ("1023 B", wording.size(1023)),
        ("1.5 KiB", wording.size(1536)),
        ("2048.0 TiB", wording.size(2**51)),
        ("0", wording.rate(0)),
        ("0.1", wording.rate(0.001)),
        ("9.9", wording.rate(9.87)),
        ("10", wording.rate(10.2)),
        ("2025-10-09T08:53:20Z", wording.utc(NOW)),
        ("1e+300", wording.utc(1e300)),
    ],
)
def test_wording(expected: str, actual: str) -> None:
    """Times and sizes are in words for people."""
    assert expected == actual
