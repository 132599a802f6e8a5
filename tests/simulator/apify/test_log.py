"""The log of a simulated job, without a socket."""

from __future__ import annotations

from exporter.simulator import End
from exporter.simulator.apify.log import JobLog, JobStream
from tests.simulator.apify.asking import ended, world_with_actor

_START = "2026-09-21T14:13:20.000Z"


def _streamed(log: JobLog, *, live: bool = False, raw: bool = True, cut: tuple[int, End] | None = None) -> bytes:
    """Return all that a stream gives to one who does not wait."""
    _, follower = JobStream(log, raw=raw, live=lambda: live, cut=cut).open()
    return b"".join(follower.take(follower.queued))


def test_messages_have_a_time_and_their_further_lines_have_none() -> None:
    """A line is time, one space, message; what a job writes as it is has no time of its own."""
    _, actor = world_with_actor()
    run = actor.start_run()
    run.log("one\n    two")
    run.write(b"half a line")
    run.write(b", whole now\n")

    assert f"{_START} one\n    two\nhalf a line, whole now\n".encode() == run.log_text.text()


def test_colours_are_taken_out_unless_asked_for() -> None:
    """Escape codes are sent with `raw` only, in the text and in streams."""
    world, actor = world_with_actor()
    run = actor.start_run()
    run.log("\x1b[32mINFO\x1b[39m ž \x1b]8;;https://x\x07link\x1b]8;;\x07")
    api = world.api(None)
    plain, raw = (api.answer("GET", f"/v2/logs/{run.id}", query).body.raw for query in ("", "raw=1"))

    assert f"{_START} INFO ž link\n".encode() == plain
    assert f"{_START} \x1b[32mINFO\x1b[39m ž \x1b]8;;https://x\x07link\x1b]8;;\x07\n".encode() == raw
    assert (plain, raw) == (_streamed(run.log_text, raw=False), _streamed(run.log_text))


def test_a_code_that_is_written_in_two_halves_is_taken_out() -> None:
    """Readers without `raw` never see half of an escape code, whenever they come."""
    log = JobLog()
    early = log.follow(raw=False)
    for half in ("a\x1b[3", "2mb\x1b]8;;x", "\x07c\x1b", "[39md\n"):
        log.write(half.encode())
        late = log.follow(raw=False)
        assert log.text(raw=False) == b"".join(late.take())

    assert (b"abcd\n", b"abcd\n") == (b"".join(early.take()), log.text(raw=False))


def test_a_log_keeps_its_newest_part_in_whole_lines() -> None:
    """The head of a log that is too long is gone, line by line."""
    log = JobLog(limit_bytes=10)
    for line in (b"one\n", b"two\n", b"three\n"):
        log.write(line)
    kept = log.text()
    log.write(b"\xc5\xbe" * 5 + b"\n")

    assert (b"two\nthree\n", b"") == (kept, log.text())


def test_the_head_of_a_log_can_be_cut_anywhere() -> None:
    """A head that is cut by bytes can begin inside a line, and inside a character."""
    log = JobLog(limit_bytes=8, cut_in_lines=True)
    log.write("žabcd\n".encode())
    log.write(b"e\n")

    assert b"\xbeabcd\ne\n"[-8:] == log.text()


def test_a_job_that_has_not_logged_yet_ends_its_stream_at_once() -> None:
    """The stream is empty and ends cleanly; with one line it stays open while the job runs."""
    _, actor = world_with_actor()
    run = actor.start_run()
    _, empty = JobStream(run.log_text, raw=True, live=lambda: True, cut=None).open()
    run.log("one")
    _, live = JobStream(run.log_text, raw=True, live=lambda: True, cut=None).open()

    assert ((0, End.CLEAN), (1, None)) == ((empty.queued, empty.end), (live.queued, live.end))
    run.finish()
    assert (End.CLEAN, ()) == (live.end, run.log_text.followers)


def test_followers_get_what_the_log_does_not_keep() -> None:
    """Every line is sent to those who follow, however little is kept."""
    log = JobLog(limit_bytes=4)
    log.write(b"one\n")
    follower = log.follow(raw=True)
    log.write(b"two\n")
    log.write(b"\x1b[1m")
    log.write(b"longer than what is kept\n")

    assert b"one\ntwo\n\x1b[1mlonger than what is kept\n" == b"".join(follower.take())


def test_late_lines_show_only_after_the_end() -> None:
    """A line that was written before the end, with a time of then, is in the log some seconds after it."""
    world, actor = world_with_actor()
    run = actor.start_run()
    run.log("one")
    run.log_late("late", 3)
    run.finish()
    at_the_end = _streamed(run.log_text)
    world.advance(3)

    assert (f"{_START} one\n".encode(), f"{_START} one\n{_START} late\n".encode()) == (
        at_the_end,
        _streamed(run.log_text),
    )


def test_streams_can_be_told_to_end_early() -> None:
    """The next streams end after so many bytes of their replay, as told, and those after them do not."""
    world, actor = world_with_actor()
    run = actor.start_run()
    run.log("one")
    world.cut_next(1, after_bytes=5)
    api = world.api(None)
    first, second = (api.answer("GET", f"/v2/logs/{run.id}", "stream=1").stream for _ in range(2))
    assert first is not None
    assert second is not None
    _, early = first.open()
    _, whole = second.open()

    assert ([b"2026-"], End.CLEAN) == (early.take(), early.end)
    assert ([f"{_START} one\n".encode()], None) == (whole.take(), whole.end)


def test_replays_come_in_blocks_that_end_anywhere() -> None:
    """A long replay is sent in blocks of a fixed size, which cut lines and characters."""
    log = JobLog()
    log.write("ž".encode() * 20_000)
    log.write(b"\n")
    follower = log.follow(raw=True)

    assert [16_384, 16_384, 7_233] == [len(block) for block in follower.take()]


def test_a_log_is_downloaded_under_the_name_of_its_job() -> None:
    """`download` makes the text a file; the text is of a build or a run, by its own path or by the id alone."""
    world, actor = world_with_actor()
    build = actor.start_build()
    build.log("one")
    ended(build)
    api = world.api(None)
    answers = [
        api.answer("GET", path, query)
        for path, query in (
            (f"/v2/actor-builds/{build.id}/log", "download=1"),
            (f"/v2/logs/{build.id}", ""),
            (f"/v2/actor-runs/{build.id}/log", ""),
        )
    ]

    assert [200, 200, 404] == [answer.status for answer in answers]
    assert [f'attachment; filename="{build.id}.txt"', None] == [
        answer.headers.get("content-disposition") for answer in answers[:2]
    ]
    assert "text/plain; charset=utf-8" == answers[0].content_type
