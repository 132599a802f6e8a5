"""What an answer shows of the pods' logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from exporter.providers.base import Tail
from exporter.providers.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_POD = 256

_FAILED_FETCH = re.compile(
    r"(?:error: |internal error occurred: |error from server(?: \(\w+\))?: |rpc error: code = \w+ desc = )*(?:"
    r"unable to upgrade connection: .*"
    r"|unable to retrieve container logs for .*"
    r'|container not found(?: \("[^"]*"\))?'
    r"|container \S+ in pod \S+ is (?:waiting to start: .*|not available|terminated)"
    r"|(?:previous terminated )?container \S+ in pod \S+ not found"
    r"|pods? \S+ (?:is )?not found"
    r"|an error occurred when try to find container \S+: not found"
    r"|error dialing backend: .*"
    r")",
    re.IGNORECASE,
)


def tails_of(data: Any, url: str) -> Sequence[Tail]:
    """Read the logs of all pods, each once. Raises MalformedError when there is no list of them."""
    pods = data.get("pods", ()) if isinstance(data, dict) else data
    if pods is None:
        return ()
    if not isinstance(pods, list | tuple):
        raise MalformedError(url, "answered without pods: a list of their logs was expected")
    tails: dict[str, Tail] = {}
    for entry in pods:
        pod, text = (entry.get("pod"), entry.get("logs")) if isinstance(entry, dict) else (None, None)
        if isinstance(pod, str) and 0 < len(pod) <= _MAX_POD and isinstance(text, str):
            found = None if is_failed_fetch(text) else text.encode(errors="replace")
            tails.setdefault(pod, Tail(pod, found))
    return list(tails.values())


def is_failed_fetch(text: str) -> bool:
    """Whether all that is shown of a pod's log is one line that says why it could not be fetched."""
    line = text.strip()
    return "\n" not in line and _FAILED_FETCH.fullmatch(line) is not None
