"""The Actors: those that the user owns, from the list, and those of others that the user runs, one by one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from exporter.providers.apify._api import id_of, time_ns
from exporter.providers.apify._words import read_id
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError, ProviderError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.providers.apify._api import Api
    from exporter.providers.apify._look import Look

PATH: Final = "/v2/actors"
AGAIN_SECONDS: Final = 1800.0
"""An Actor that the user does not own is looked at again so often."""

MAX_NEW: Final = 50
MAX_AGAIN: Final = 2
"""So many of these are asked for in one look."""

_MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class Actor:
    """One Actor; its name is `username/actor-name`."""

    id: str
    name: str
    created_ns: int


@dataclass(slots=True)
class _Other:
    """An Actor that is not in the list. `actor` is None while its name is not known."""

    actor: Actor | None = None
    asked_seconds: float | None = None
    gone: bool = False
    failures: int = 0
    """In a row."""


class Actors:
    """All Actors of a source that are known."""

    def __init__(self, api: Api, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        self._monotonic = monotonic
        self._own: dict[str, Actor] = {}
        self._once_own: set[str] = set()
        self._others: dict[str, _Other] = {}
        """By id or `username~actor-name`, as jobs refer to them."""
        self.malformed_ids: frozenset[str] = frozenset()
        self.unidentified = 0

    async def look(self, look: Look) -> None:
        """Read the list of the user's own. Raises a ProviderError when it does not even begin."""
        found: dict[str, Actor] = {}
        malformed: set[str | None] = set()
        try:
            async for items in self._api.overlapping(PATH, {"my": "1"}, priority=Priority.LIST):
                for item in items:
                    try:
                        actor = read_actor(item)
                    except ValueError:
                        malformed.add(id_of(item))
                    else:
                        found[actor.id] = actor
        except ProviderError as error:
            if not found and not malformed:
                raise
            look.fail(error)
            found = self._own | found
        self._own = found
        self._once_own |= found.keys()
        self.malformed_ids = frozenset(one for one in malformed if one is not None)
        self.unidentified = int(None in malformed)
        look.malformed += len(malformed)
        for actor_id in found:
            self._others.pop(actor_id, None)

    async def resolve(self, names: Mapping[str, str], references: Iterable[str], look: Look) -> None:
        """Find out about Actors that jobs refer to, or that were known before a start, and look at known ones again."""
        for actor_id, name in names.items():
            if actor_id not in self._own and actor_id not in self._once_own:
                self._others.setdefault(actor_id, _Other(Actor(actor_id, name, 0)))
        by_name = self._references()
        for reference in references:
            if reference and reference not in self._own and reference not in by_name:
                self._others.setdefault(reference, _Other())
        now_seconds = self._monotonic()
        new = sorted(
            (one for one, other in self._others.items() if other.asked_seconds is None),
            key=lambda one: self._others[one].failures,  # those that cannot be asked for do not hold the others
        )[:MAX_NEW]
        again = [
            one
            for one, other in self._others.items()
            if other.asked_seconds is not None and now_seconds - other.asked_seconds > AGAIN_SECONDS
        ][:MAX_AGAIN]
        for reference in (*new, *again):
            if look.is_over:
                return
            with look.tolerating():
                self._others[reference].failures += 1
                await self._ask(reference, self._others[reference])
                self._others[reference].failures = 0

    def id_of(self, reference: str) -> str:
        """Return the id of the Actor that a job refers to, by id or by name; as it is where nothing is known of it."""
        if "~" not in reference:
            return reference
        found = self._references().get(reference)
        return "" if found is None else found

    def is_hidden(self, actor_id: str) -> bool:
        """Whether the vendor was asked for an Actor, and has none or does not show it."""
        other = self._others.get(actor_id)
        return other is not None and (other.gone or (other.actor is None and other.asked_seconds is not None))

    def all(self) -> list[Actor]:
        """Return the Actors to show. Of several with one name, the user's own in the list comes first."""
        found: dict[str, Actor] = {}
        ids: set[str] = set()
        others = (other.actor for other in self._others.values() if other.actor is not None and not other.gone)
        for actor in (*self._own.values(), *others):
            if actor.name not in found and actor.id not in ids:
                found[actor.name] = actor
                ids.add(actor.id)
        return list(found.values())

    def _references(self) -> dict[str, str]:
        return {actor.name.replace("/", "~", 1): actor.id for actor in self.all()}

    async def _ask(self, reference: str, other: _Other) -> None:
        """Ask for one Actor. Raises a ProviderError that may pass."""
        path = f"{PATH}/{quote(reference, safe='~')}"
        try:
            item = await self._api.data(path, priority=Priority.LIST)
            other.actor = read_actor(item)
            other.gone = False
        except NotFoundError:
            other.gone = True
        except UnauthorizedError:
            pass  # a job of it may be seen, but not the Actor: its name stays unknown
        except ValueError as error:
            raise MalformedError(path, f"answered with what is no Actor: {error}") from error
        other.asked_seconds = self._monotonic()


def read_actor(item: Any) -> Actor:
    """Read one Actor. Raises ValueError."""
    if not isinstance(item, dict):
        raise ValueError(item)  # noqa: TRY004  (whatever is wrong with an item is one error)
    return Actor(
        read_id(item.get("id")),
        f"{_read_name(item.get('username'))}/{_read_name(item.get('name'))}",
        time_ns(item.get("createdAt")),
    )


def _read_name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
        raise ValueError(value)
    return value
