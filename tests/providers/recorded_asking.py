"""Ask for a recorded answer as the exporter would, and say in a few words what came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from exporter.providers.budget import Priority
from exporter.providers.errors import ProviderError, StatusError
from exporter.providers.feldera import read_event, read_events, read_pipeline
from exporter.providers.http import decode_json
from tests.providers.loopback import asking, loopback

if TYPE_CHECKING:
    from exporter.providers.http import Answer
    from exporter.status.model import Component, PipelineNow
    from tests.providers.loopback import Asked
    from tests.providers.recordings import Recording


async def ask(recorded: Recording) -> str:
    """Serve a recording, ask for it, and return the result in a few words; only a ProviderError is no surprise."""
    async with loopback(recorded.reply) as server, asking(server.url) as asked:
        try:
            result = await _ask(asked, recorded)
        except StatusError as error:
            result = f"{type(error).__name__} {error.status} {error.error_code}".rstrip()
        except ProviderError as error:
            result = type(error).__name__
        assert {recorded.path} == {request.target.partition("?")[0] for request in server.requests}
        return result


async def _ask(asked: Asked, recorded: Recording) -> str:  # noqa: PLR0911  (one row a kind of request)
    match recorded.path.split("/")[1:]:
        case ["v0", "pipelines"]:
            listing = await asked.feldera.list()
            return _words_of([now.state for now in listing.pipelines], "pipelines", listing.malformed)
        case ["v0", "pipelines", _]:
            return await _ask_one(asked, recorded)
        case ["v0", "pipelines", _, "events"]:
            reading = read_events(await _ask_events(asked, recorded))
            return _words_of([], f"{len(reading.events)} events", reading.malformed)
        case ["v0", "pipelines", _, "events", event_id] if event_id:
            answer = await asked.feldera.event(recorded.pipeline, event_id, selector=_selector(recorded))
            event = read_event(answer.body)
            return " ".join([str(word) for word in event.words] + ["with error"] * event.has_error)
        case ["v0", "cluster_healthz"]:
            health = await asked.feldera.health()
            return "no health" if health is None else ", ".join(map(_word_of, health.components))
        case ["v0", "config"]:
            return await asked.feldera.describe()
        case ["healthz"]:
            await asked.feldera.alive()
            return "alive"
    return await _ask_other(asked, recorded)


async def _ask_one(asked: Asked, recorded: Recording) -> str:
    """Read a pipeline's document, and confirm that the name has this id and no other."""
    answer = await asked.client.get(recorded.path, {"selector": _selector(recorded)}, priority=Priority.LIST)
    now = read_pipeline(decode_json(answer))
    assert (True, False) == (await asked.feldera.confirm(now), await asked.feldera.confirm(_other(now)))
    return " ".join(
        [now.state, "as desired" if now.in_desired_state else "not as desired", *filter(None, [now.error_code])]
    )


def _other(now: PipelineNow) -> PipelineNow:
    return type(now)(**{name: getattr(now, name) for name in now.__slots__} | {"id": "another"})


async def _ask_events(asked: Asked, recorded: Recording) -> Answer:
    return await asked.feldera.events(recorded.pipeline.replace("%20", " "), selector=_selector(recorded))


async def _ask_other(asked: Asked, recorded: Recording) -> str:
    """Ask for a path that the exporter does not use: its errors are those of all others."""
    answer = await asked.client.get(recorded.path, priority=Priority.LIST)
    if answer.content_type == "text/plain":
        return f"{len(answer.body)} bytes of text"
    found = decode_json(answer)
    return f"JSON {type(found).__name__} of {len(found)}"


def _selector(recorded: Recording) -> str:
    return parse_qs(recorded.target.partition("?")[2]).get("selector", ["status"])[0]


def _words_of(states: list[str], what: str, malformed: int) -> str:
    parts = [f"{len(states)} {what}" if states or what == "pipelines" else what]
    parts += [f"{count} {state}" for state, count in sorted(Counter(states).items())]
    return ", ".join(parts + [f"{malformed} malformed"] * bool(malformed))


def _word_of(component: Component) -> str:
    return f"{component.name} {'healthy' if component.healthy else 'unhealthy'}"
