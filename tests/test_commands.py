"""The commands as a user runs them: output, exit status, signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exporter import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 30
"""Far more than anything here takes; a command that hangs fails its test."""


def command(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", *words],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env=os.environ | environ,
    )


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command until the test is done with it."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "exporter", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def configuration(folder: Path, text: str = "", url: str = "http://127.0.0.1:1") -> Path:
    """Write a configuration of one source that nobody answers, and more."""
    path = folder / "config.yaml"
    path.write_text(
        f"listen: 127.0.0.1:0\ndata_dir: {folder}/data\nsources:\n  - {{name: prod, provider: feldera, url: {url}}}\n{text}"
    )
    return path


def line(process: subprocess.Popen[str], part: str) -> str:
    """Wait for a line on stdout or stderr that has a part, and return it."""
    assert process.stderr is not None
    assert process.stdout is not None
    stream = process.stdout if part.startswith(("Page", "Logs", "Simulated")) else process.stderr
    for found in stream:
        if part in found:
            return found.strip()
    raise AssertionError(f"no line with {part!r}")


def test_version() -> None:
    """The version is told."""
    assert f"pipeline-exporter, version {__version__}" == command("--version").stdout.strip()


def test_schema_is_json() -> None:
    """The schema is JSON of the configuration."""
    assert "sources" in json.loads(command("schema").stdout)["properties"]


def test_check_of_a_valid_file(tmp_path: Path) -> None:
    """A valid configuration gives a table of its sources and status 0."""
    done = command("check", "--config", str(configuration(tmp_path)))
    assert (0, True) == (done.returncode, "prod    feldera   http://127.0.0.1:1" in done.stdout)


def test_check_of_the_web_configuration(tmp_path: Path) -> None:
    """The check of a file of `--web.config.file` gives its errors as the first thing of their lines, and status 2."""
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_users: {a: b}\n")
    done = command("check", "--config", str(configuration(tmp_path)), "--web.config.file", str(web))
    assert (2, True) == (done.returncode, done.stderr.startswith(f"{web}:1:23: basic_auth_users.a: not a bcrypt"))


def test_check_online_says_that_nothing_is_selected(tmp_path: Path) -> None:
    """A selection that leaves no pipeline is pointed at."""
    with running("simulator", "--listen", "127.0.0.1:0", "--feldera", "2") as simulator:
        url = line(simulator, "Simulated vendors").rpartition(" ")[2]
        path = configuration(tmp_path, "defaults: {include: [nothing]}\n", url)
        done = command("check", "--online", "--config", str(path))
    assert (0, True) == (done.returncode, "of 2 pipelines none selected: look at include and exclude" in done.stdout)


def test_simulator_on_an_address_that_is_taken() -> None:
    """An address that another process listens on ends the simulator with status 1 and is named, once."""
    with running("simulator", "--listen", "127.0.0.1:0", "--feldera", "0") as first:
        address = line(first, "Simulated vendors").rpartition("/")[2]
        done = command("simulator", "--listen", address)
    hint = "stop the process that has it, or choose another address with --listen"
    expected = f"Error: cannot listen on {address}: Address already in use; {hint}\n"
    assert (1, expected) == (done.returncode, done.stderr)


def test_check_online_fails_when_a_source_does(tmp_path: Path) -> None:
    """A source that does not answer fails the online check with status 1."""
    done = command("check", "--online", "--config", str(configuration(tmp_path)))
    assert (1, True) == (done.returncode, "FAILED: GET http://127.0.0.1:1/v0/pipelines" in done.stdout)


@pytest.mark.parametrize("words", [["check"], ["run"]])
def test_bad_configuration_is_refused(tmp_path: Path, words: list[str]) -> None:
    """A bad configuration ends every command with status 2 and says where it is bad."""
    path = configuration(tmp_path, "intervall: 1s\n")
    done = command(*words, "--config", str(path))
    assert (2, True) == (done.returncode, done.stderr.startswith(f"{path}:5:1: intervall: unknown key"))


@pytest.mark.parametrize(
    "words", [["run"], ["nonsense"], ["simulator", "--apify", "-1"], ["demo", "--listen", "nowhere"]]
)
def test_wrong_usage(words: list[str]) -> None:
    """Wrong usage ends with status 2."""
    assert 2 == command(*words).returncode


def test_provider_that_is_not_known_is_refused(tmp_path: Path) -> None:
    """A provider that neither this version nor a plug-in has is no valid configuration."""
    path = tmp_path / "config.yaml"
    path.write_text("sources: [{name: a, provider: nosuch, url: 'http://127.0.0.1:1'}]\n")
    done = command("check", "--config", str(path))
    known = "unknown provider 'nosuch'; known are apify, feldera, goldrush"
    assert (2, True) == (done.returncode, known in done.stderr)


def test_address_that_is_taken_fails(tmp_path: Path) -> None:
    """An address that another process listens on ends the service with status 1 and is named."""
    with running("run", "--config", str(configuration(tmp_path))) as first:
        url = line(first, "listening on").rpartition(" ")[2]
        other = tmp_path / "other"
        other.mkdir()
        path = configuration(other)
        address = url.removeprefix("http://").rstrip("/")
        path.write_text(path.read_text().replace("127.0.0.1:0", address))
        done = command("run", "--config", str(path))
        assert (1, True) == (done.returncode, address in done.stderr)


def test_journal_in_use_fails(tmp_path: Path) -> None:
    """A second exporter on one journal ends with status 1 and says so."""
    path = configuration(tmp_path)
    with running("run", "--config", str(path)) as first:
        line(first, "listening on")
        done = command("run", "--config", str(path))
        assert (1, True) == (done.returncode, "in use by another exporter" in done.stderr)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_stops_with_status_0(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and SIGINT stop the service as asked."""
    with running("run", "--config", str(configuration(tmp_path))) as process:
        line(process, "listening on")
        process.send_signal(number)
        assert 0 == process.wait(SECONDS)


def test_reload_by_signal(tmp_path: Path) -> None:
    """SIGHUP loads the file again; a bad one is refused and the old one stays."""
    path = configuration(tmp_path)
    with running("run", "--config", str(path)) as process:
        url = line(process, "listening on").rpartition(" ")[2]
        good = path.read_text()
        path.write_text(good + "nonsense: 1\n")
        process.send_signal(signal.SIGHUP)
        line(process, "is refused")
        assert "pipeline_exporter_config_last_reload_successful 0.0" in scrape(url)
        path.write_text(good.replace("name: prod", "name: test"))
        process.send_signal(signal.SIGHUP)
        line(process, "was loaded again")
        text = scrape(url)
        assert (True, True, False) == (
            "pipeline_exporter_config_last_reload_successful 1.0" in text,
            'source="test"' in text,
            'source="prod"' in text,
        )


def test_stop_during_a_reload(tmp_path: Path) -> None:
    """A stop that is asked for while a new configuration is applied is a stop like any other."""
    path = configuration(tmp_path)
    with running("run", "--config", str(path)) as process:
        line(process, "listening on")
        path.write_text(path.read_text().replace("name: prod", "name: test"))
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert 0 == process.wait(SECONDS)


def test_demo_says_where_to_look() -> None:
    """The demo shows living pipelines on its page and metrics."""
    with running("demo", "--listen", "127.0.0.1:0", "--feldera", "3") as process:
        page = line(process, "Page for people").rpartition(" ")[2]
        assert "text/html" in urllib.request.urlopen(page, timeout=SECONDS).headers["Content-Type"]
        feldera = 'hosted_pipeline_up{provider="feldera"'
        given_up = time.monotonic() + SECONDS
        while feldera not in (text := scrape(page)):
            assert time.monotonic() < given_up
        assert 3 == text.count(feldera)
        logs = Path(line(process, "Logs, as OTLP JSON lines").rpartition(" ")[2])
        given_up = time.monotonic() + SECONDS
        while not (logs.exists() and logs.read_bytes().count(b"\n")):
            assert time.monotonic() < given_up
        assert "resourceLogs" in json.loads(logs.read_text().splitlines()[0])


def scrape(url: str) -> str:
    """Return the metrics."""
    body: bytes = urllib.request.urlopen(f"{url}metrics", timeout=SECONDS).read()
    return body.decode()
