"""The moving tail of a pod's log."""

from __future__ import annotations

import pytest

from exporter.simulator.goldrush_pod import FAILED_FETCH, GoldRushPod, Shown, Window


def _pod(text: bytes = b"") -> GoldRushPod:
    pod = GoldRushPod("p", ready=True)
    pod.write(text)
    return pod


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (Window(lines=2), "two\nthree\n"),
        (Window(lines=3), "one\ntwo\nthree\n"),
        (Window(lines=9), "one\ntwo\nthree\n"),
        (Window(lines=0), ""),
        (Window(lines=None), "one\ntwo\nthree\n"),
        (Window(lines=None, size_bytes=8), "o\nthree\n"),
        (Window(lines=1, size_bytes=100), "three\n"),
        (Window(size_bytes=0), ""),
    ],
)
def test_an_answer_shows_the_newest_part(window: Window, expected: str) -> None:
    """A window of lines shows whole lines; one of bytes cuts the first line where it falls."""
    assert expected == _pod(b"one\ntwo\nthree\n").fetch(window)


def test_a_line_that_is_being_written_is_the_last_and_has_no_end() -> None:
    """What has no newline yet is shown, counts as a line of the window, and is completed by the next write."""
    pod = _pod(b"one\ntwo\nthr")
    before = pod.fetch(Window(lines=2))
    pod.write(b"ee\n")

    assert ("two\nthr", "two\nthree\n", 3) == (before, pod.fetch(Window(lines=2)), pod.written)


def test_bytes_that_are_no_text_are_replaced() -> None:
    """JSON holds text only: an invalid byte, also a character cut by the window, becomes the replacement character."""
    assert "a\ufffdb\n" == _pod(b"a\xffb\n").fetch(Window())
    assert "\ufffd\n" == _pod("é\n".encode()).fetch(Window(size_bytes=2))


def test_a_failed_fetch_stands_in_place_of_the_log() -> None:
    """The error is shown as often as was asked for, without newline, and the log is whole after it."""
    pod = _pod(b"one\n")
    pod.fail_fetches(2)

    assert [FAILED_FETCH, FAILED_FETCH, "one\n"] == [pod.fetch(Window()) for _ in range(3)]


def test_a_pod_without_container_cannot_be_read() -> None:
    """Before it is scheduled every fetch fails."""
    assert FAILED_FETCH == GoldRushPod("p").fetch(Window())


def test_a_test_can_see_what_was_shown() -> None:
    """Each answer is remembered by the numbers of its lines, so that what no answer showed can be told."""
    pod = _pod(b"0\n1\n2\n3\n")
    pod.fetch(Window(lines=2))
    pod.write(b"4\n5")
    pod.fetch(Window(lines=3))
    pod.fetch(Window(lines=None, size_bytes=4))
    pod.fail_fetches()
    pod.fetch(Window())
    pod.clear()
    pod.fetch(Window())
    pod.write(b"0\n")
    pod.fetch(Window())

    assert [
        Shown(0, 2, 4),
        Shown(0, 3, 6),
        Shown(0, 3, 6),
        None,
        Shown(1, 0, 0),
        Shown(1, 0, 1),
    ] == list(pod.answers)
