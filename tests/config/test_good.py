"""What good configurations become."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.config import Config, Otlp, load
from tests.config.cases import ENVIRON, FOLDER, GOOD, SOURCE, load_text


def good(name: str) -> Config:
    """Return a configuration of the folder."""
    return load(FOLDER / "good" / f"{name}.yaml", ENVIRON)


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_loads(file: Path) -> None:
    """Every good file loads, equally each time, and shows no secret."""
    first, second = load(file, ENVIRON), load(file, ENVIRON)
    secrets = [source.secret.get() for source in first.sources if source.secret]

    assert first == second
    assert [] == [secret for secret in secrets if secret in repr(first) or secret in str(first)]


def test_written_defaults_are_the_defaults(tmp_path: Path) -> None:
    """A file with every default written out is the same configuration as one without them."""
    key = FOLDER / "files" / "key"
    full = (FOLDER / "good" / "full.yaml").read_text(encoding="utf-8").replace("../files/key", str(key))
    short = (
        f"sources:\n- {{name: prod, provider: feldera, url: 'https://feldera.example', api_key_file: {key},"
        " tenant: acme, include: ['orders-.*'], attributes: {deployment.environment.name: prod}}\n"
        "otlp: {}\ndata_dir: /var/lib/pipeline-exporter\n"
    )

    assert load_text(tmp_path, full) == load_text(tmp_path, short)


def test_smallest(tmp_path: Path) -> None:
    """What is not written has the documented default."""
    config = load_text(tmp_path, SOURCE)
    source = config.sources[0]

    assert (":10067",) == config.listen
    assert Path.cwd() / "pipeline-exporter-data" == config.data_dir
    assert (15.0, 10.0, 1800.0, 10.0) == (source.interval, source.timeout, source.sweep, source.budget)
    assert (True, "beginning", 200) == (source.logs.enabled, source.logs.start, source.logs.max_streams)
    assert (262144, 0.5) == (source.logs.multiline.max_bytes, source.logs.multiline.timeout)
    assert config.otlp is None
    assert (1073741824, "pause", True) == (config.journal.limit, config.journal.when_full, config.metrics.zeros)


def test_defaults_merge() -> None:
    """Mappings of `defaults` merge deeply, lists are replaced, and a source's own kind of key replaces the other."""
    prod, test, chain, actors = good("defaults").sources

    assert [30.0] * 4 == [source.interval for source in (prod, test, chain, actors)]
    assert {"X-Team": "data", "X-Stage": "test"} == test.headers
    assert (64 * 1024, 1.0) == (test.logs.multiline.max_bytes, test.logs.multiline.timeout)
    assert ((".*",), ("orders-.*", "billing")) == (test.include, prod.include)
    assert ("secret-of-the-file", "key-of-the-environment") == (
        prod.secret and prod.secret.get(),
        test.secret and test.secret.get(),
    )


def test_provider_defaults() -> None:
    """URL and budget have defaults that depend on the provider; a trailing slash is dropped."""
    prod, _, chain, actors = good("defaults").sources

    assert ("https://feldera.example/base", 10.0) == (prod.url, prod.budget)
    assert ("https://api.covalenthq.com", 2.0) == (chain.url, chain.budget)
    assert ("https://api.apify.com", 10.0) == (actors.url, actors.budget)


def test_selects() -> None:
    """A pipeline is watched when its whole name matches an include, if there are any, and no exclude."""
    prod, test, *_ = good("defaults").sources

    assert [True, False, True, False] == [
        prod.selects(name) for name in ("orders-1", "orders", "billing", "x-orders-1")
    ]
    assert [True, False, True] == [test.selects(name) for name in ("orders", "scratch-1", "my-scratch-1")]


def test_variables() -> None:
    """A variable's value takes the type of its field, and an empty one counts as missing only for `:-`."""
    config = good("variables")
    source = config.sources[0]

    assert ((":9999",), "123", 5400.0) == (config.listen, source.name, source.interval)
    assert (True, 50) == (source.tls.insecure_skip_verify, source.logs.max_streams)
    assert ("another", None, None) == (source.secret and source.secret.get(), source.tenant, source.proxy)
    assert ("x$", "$y") == source.exclude


def test_plugin_provider(tmp_path: Path) -> None:
    """A plug-in's name is a provider when the caller knows it, and it needs a URL."""
    file = tmp_path / "c.yaml"
    file.write_text("sources: [{name: a, provider: mine, url: 'http://h/p'}]\n")

    config = load(file, {}, providers=frozenset({"mine"}))

    assert ("mine", "http://h/p", 10.0) == (config.sources[0].provider, config.sources[0].url, config.sources[0].budget)


def test_otlp_headers_file() -> None:
    """Headers of the file win over those in the configuration, and none is shown."""
    otlp = good("otlp").otlp
    assert otlp is not None

    assert {"Authorization": "Bearer of-the-file", "X-Scope-OrgID": "team", "X-More": "more"} == otlp.headers_now()
    assert "more" not in repr(otlp)


def test_otlp_endpoints(tmp_path: Path) -> None:
    """The endpoint's default is the port of the protocol; a file's path begins at the configuration's folder."""
    written = ("{}", "{protocol: grpc}", "{protocol: file, endpoint: out.jsonl}")
    blocks = [load_text(tmp_path, f"{SOURCE}otlp: {text}\n").otlp for text in written]

    expected = ["http://127.0.0.1:4318", "http://127.0.0.1:4317", str(tmp_path / "out.jsonl")]
    assert expected == [block.endpoint for block in blocks if block]


def test_models_without_the_loader() -> None:
    """Models can be made in code, with the same texts as in a file."""
    assert 1.5 == Otlp(endpoint="http://h", timeout="1s500ms").timeout


def test_byte_order_mark(tmp_path: Path) -> None:
    """A byte order mark, as some editors write it, does no harm."""
    assert "prod" == load_text(tmp_path, "\ufeff" + SOURCE).sources[0].name
