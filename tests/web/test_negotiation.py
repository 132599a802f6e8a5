"""The form of an answer, from header values alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.negotiation import OPENMETRICS, TEXT, exposition, gzip

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,"
    "application/openmetrics-text;version=0.0.1;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=0.0.4;q=0.4,*/*;q=0.3"
)
PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
OM = "application/openmetrics-text;version=1.0.0"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, f"{OPENMETRICS}; escaping=allow-utf-8"),
        (f"{OM};escaping=underscores", f"{OPENMETRICS}; escaping=underscores"),
        (f"{OM};escaping=evil\r\nX: y", OPENMETRICS),
        ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4", TEXT),
        (BROWSER, TEXT),
        ("", TEXT),
        ("*/*", TEXT),
        ("text/*", TEXT),
        ("application/*", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("APPLICATION/OpenMetrics-Text ; Version=1.0.0", OPENMETRICS),
        ('application/openmetrics-text; version="1.0.0"', OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=2.0.0", TEXT),
        (f"{OM};q=0", TEXT),
        (f"{OM};q=0.0,*/*", TEXT),
        (f"{OM};q=0,text/plain;q=0", TEXT),
        (f"text/plain;q=0,{OM};q=0.1", OPENMETRICS),
        (f"{OM};q=0.5,text/plain;q=0.3", OPENMETRICS),
        (f"{OM};q=0.3,text/plain;q=0.5", TEXT),
        (f"{OM},text/plain", OPENMETRICS),
        (f"text/plain,{OM}", TEXT),
        (f"*/*,{OM}", OPENMETRICS),
        (f"{OM};q=0.5,*/*;q=0.8", TEXT),
        (f"text/plain;q=0.1,{OM};q=0.5,*/*;q=0.8", OPENMETRICS),
        (f"{OM};q=2", TEXT),
        (f"{OM};q=-1", TEXT),
        (f"{OM};q=nan", TEXT),
        (f"{OM};q=junk", TEXT),
        (f"{OM};q=", TEXT),
        (f'a/b;x="{OM}, y",*/*', TEXT),
        (";;;,,,=;q=1,\x00", TEXT),
        ("application/vnd.google.protobuf;encoding=delimited", TEXT),
    ],
)
def test_content_type(accept: str, content_type: str) -> None:
    """The quality decides, then what is named over what a wildcard covers, then the order; all else is text."""
    assert content_type == exposition(accept).content_type


@pytest.mark.parametrize(
    ("accept_encoding", "zipped"),
    [
        ("gzip", True),
        ("x-gzip", True),
        ("GZIP;q=0.5", True),
        ("gzip, deflate, br, zstd", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip, identity", True),
        ("gzip;q=0.5, identity;q=0.4", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        ("identity;q=0.5, *;q=0", False),
        ("identity;q=1, gzip;q=0.5", False),
        ("identity, *;q=0.1", False),
        ("gzip;q=junk", False),
        ("gzipped", False),
    ],
)
def test_gzip(accept_encoding: str, zipped: bool) -> None:
    """Gzip is chosen where it is accepted at least as gladly as no compression."""
    assert zipped == gzip(accept_encoding)


@given(st.text() | st.text(alphabet='*/;,=q0."\\ gzip'))
def test_any_header(header: str) -> None:
    """No header makes negotiation fail, and every answer is one of the two forms."""
    gzip(header)
    assert exposition(header).content_type.startswith((TEXT, OPENMETRICS))
