"""Log lines of every shape that a Feldera server is known to send, endless, from a seed."""

from __future__ import annotations

from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any

from exporter.simulator.log_style import LogStyle
from exporter.simulator.process_lines import SERVER, configuration_lines, panic_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Shape = Callable[[Random, LogStyle, int], list[bytes]]

_TARGETS = (SERVER, "dbsp_adapters::controller", "dbsp::circuit::runtime", "dbsp_adapters::transport::kafka::ft::input")
_MESSAGES = (
    "Pipeline processed {0} records in {1} ms",
    "checkpoint {0} written: {1} files",
    "input connector 'orders.kafka' reached offset {0} of partition {1}",
    "output batch of {0} records delivered after {1} retries",
    "storage cache: {0} hits, {1} misses",
)
_LEVELS = ("INFO",) * 8 + ("WARN",) * 2 + ("ERROR", "DEBUG", "TRACE")
_BROKER = "kafka-1.example.com:9092"


def random_connectors(random: Random) -> dict[str, Any]:
    """Return the inputs of a pipeline that reads from Kafka, S3 and PostgreSQL, with made-up credentials."""

    def secret(length: int) -> str:
        return "".join(random.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=length))

    transports: dict[str, dict[str, Any]] = {
        "orders.kafka": {
            "bootstrap.servers": _BROKER,
            "sasl.username": "feldera",
            "sasl.password": secret(24),
            "topic": "orders",
        },
        "sales.s3": {"aws_access_key_id": "AKIA" + secret(16).upper(), "aws_secret_access_key": secret(40)},
        "customers.postgres": {"uri": f"postgresql://app:{secret(12)}@db.example.com:5432/shop", "query": "SELECT 1"},
    }
    return {
        name: {
            "stream": name.partition(".")[0],
            "transport": {"name": f"{name.partition('.')[2]}_input", "config": configuration},
            "format": {"name": "json", "config": None},
            "max_queued_records": 1_000_000,
            "paused": False,
            "labels": [],
        }
        for name, configuration in transports.items()
    }


def _said(random: Random) -> str:
    return random.choice(_MESSAGES).format(random.randrange(1_000_000), random.randrange(100))


def _head(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    spans = random.choice(((), (), ("worker",), ("transaction", "step")))
    fields = random.choice(({}, {}, {"table": "orders", "rows": random.randrange(10_000)}))
    level, target = random.choice(_LEVELS), random.choice(_TARGETS)
    return [style.process(at_us, level, target, _said(random), spans=spans, fields=fields)]


def _plain(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    return _head(random, LogStyle(style.pipeline_id, style.name, colours=False, host=style.host), at_us)


def _json(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    return _head(random, LogStyle(style.pipeline_id, style.name, json=True), at_us)


def _hosts(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    return _head(random, LogStyle(style.pipeline_id, style.name, host=random.randrange(4)), at_us)


def _multiline(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    steps = "".join(f"\n  step {number}: {_said(random)}" for number in range(random.randint(1, 12)))
    message = f"error parsing the input of table 'orders':{steps}\n\nthe record is left out"
    return style.process(at_us, "ERROR", _TARGETS[1], message).split(b"\n")


def _panic(_random: Random, _style: LogStyle, _at_us: int) -> list[bytes]:
    return panic_lines()


def _panic_unnumbered(random: Random, _style: LogStyle, _at_us: int) -> list[bytes]:
    place = f"crates/adapters/src/x.rs:{random.randrange(2_000)}:{random.randrange(80)}"
    return [b"", f"thread 'tokio-runtime-worker' panicked at {place}:".encode(), b"index out of bounds: the len is 3"]


def _dump(random: Random, style: LogStyle, _at_us: int) -> list[bytes]:
    return configuration_lines(style, random_connectors(random))


def _raw(random: Random, _style: LogStyle, _at_us: int) -> list[bytes]:
    number = random.randrange(1_000_000)
    texts = (
        f"<jemalloc>: Error in munmap(): Invalid argument {number}",
        f"%3|1795248109.{number:06}|FAIL|rdkafka#consumer-1| [thrd:{_BROKER}/1]: Connect failed: Connection refused",
        "memory allocation of 1073741824 bytes failed",
        "Received signal 11. Backtrace:\n   0: dbsp::trace::spine_async::merger\n   1: __libc_start_main",
    )
    return random.choice(texts).encode().split(b"\n")


def _runner(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    said = (
        ("INFO", "pipeline_automata", "Runtime transition: running -> unavailable (desired: running)"),
        ("INFO", "pipeline_automata", "Runtime transition: unavailable -> running (desired: running)"),
        ("ERROR", "local_runner", "Resources error: Pipeline process exited prematurely with exit status: 101"),
        ("WARN", "pipeline_automata", "Pipeline could not be reached: operation timed out"),
    )
    return [style.runner(at_us, *random.choice(said))]


def _older(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    said = LogStyle(style.pipeline_id, style.name, colours=False).process(at_us, "INFO", SERVER, _said(random))
    text = said.decode().partition("] ")[2]
    prefix = random.choice(("control-plane", f"pipeline-{style.pipeline_id}"))
    return [f"[{prefix}] {text}".replace(":  ", ": ", 1).encode()]


def _blank(_random: Random, _style: LogStyle, _at_us: int) -> list[bytes]:
    return [b""]


def _odd(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    oddities = ("\r", "\0", "\x1b", "\ufeff", "\x0b", "\x0c", "\x85", "\u2028", "\t", "🦀")
    return [style.process(at_us, "WARN", SERVER, f"odd{random.choice(oddities)}text {random.randrange(1_000)}")]


def _long(random: Random, style: LogStyle, at_us: int) -> list[bytes]:
    return [style.process(at_us, "INFO", SERVER, "x" * random.randint(30_000, 70_000))]


SHAPES: dict[str, Shape] = {
    "pipeline": _head,
    "plain": _plain,
    "json": _json,
    "hosts": _hosts,
    "runner": _runner,
    "multiline": _multiline,
    "panic": _panic,
    "panic_unnumbered": _panic_unnumbered,
    "dump": _dump,
    "raw": _raw,
    "older": _older,
    "blank": _blank,
    "odd": _odd,
    "long": _long,
}


def log_records(
    seed: int,
    shapes: Iterable[str] = tuple(SHAPES),
    *,
    name: str = "orders",
    pipeline_id: str = "01a1fd0c-5193-79c1-ba72-49b68a554aa0",
    start_us: int = 1_795_000_000_000_000,
) -> Iterator[list[bytes]]:
    """Yield endless blocks of lines, each of a shape drawn from `shapes`, a millisecond apart.

    A name that is given more than once is drawn more often. Raises `ValueError` for an unknown shape.
    """
    names = tuple(shapes)
    for shape in names:
        if shape not in SHAPES:
            raise ValueError(f"{shape!r} is no shape of log lines: use one of {', '.join(SHAPES)}")
    return _records(Random(seed), [SHAPES[shape] for shape in names], LogStyle(pipeline_id, name), start_us)


def log_lines(seed: int, shapes: Iterable[str] = tuple(SHAPES), **options: Any) -> Iterator[bytes]:
    """Yield endless lines without line ends, as `log_records` makes them."""
    return chain.from_iterable(log_records(seed, shapes, **options))


def _records(random: Random, shapes: list[Shape], style: LogStyle, at_us: int) -> Iterator[list[bytes]]:
    while True:
        at_us += 1_000
        yield random.choice(shapes)(random, style, at_us)
