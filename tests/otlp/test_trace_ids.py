"""Trace and span ids of jobs."""

from __future__ import annotations

import hashlib

from exporter.otlp.trace_ids import span_id, trace_id


def test_ids_of_a_job() -> None:
    """The ids are the first 16 and the next 8 bytes of the SHA-256 of kind and job id."""
    digest = hashlib.sha256(b"run/HG7ML7M8z78YcAPEB").digest()
    assert digest[:16] == trace_id("run", "HG7ML7M8z78YcAPEB")
    assert digest[16:24] == span_id("run", "HG7ML7M8z78YcAPEB")


def test_kinds_are_apart() -> None:
    """A run and a build with one id have different traces and spans."""
    assert trace_id("run", "a") != trace_id("build", "a")
    assert span_id("run", "a") != span_id("build", "a")


def test_further_ends() -> None:
    """Each further end of a job has a span id of its own, the same each time that it is made."""
    ends = [span_id("run", "a"), span_id("run", "a", 1_000), span_id("run", "a", 2_000)]
    assert 3 == len(set(ends))
    assert ends[1] == span_id("run", "a", 1_000)
    assert {8} == {len(one) for one in ends}
