"""What can go wrong when a vendor is asked.

ProviderError
├── UnreachableError      no connection, or it broke (code `connect` or `tls`)
├── TimedOutError         no whole answer in time (code `timeout`)
├── MalformedError        an answer that is not what the contract says
├── EnvelopeError         an answer with success outside that says inside that it failed
└── StatusError           an HTTP status that is no success
    ├── UnauthorizedError 401 and 403
    └── NotFoundError     404
"""

from __future__ import annotations

from typing import ClassVar


class ProviderError(Exception):
    """Asking a vendor failed; str() says what was asked, what came and what to do."""

    outcome: ClassVar[str] = "error"
    """The label value of `pipeline_exporter_polls_total`."""

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(f"GET {url}: {problem}")
        self.url = url
        self.problem = problem


class UnreachableError(ProviderError):
    """No connection could be made, or it was cut before the answer was whole."""

    outcome = "refused"

    def __init__(self, url: str, problem: str, *, code: str = "connect", again: bool = True) -> None:
        super().__init__(url, problem)
        self.code = code
        self.again = again
        """Whether asking again at once may help: a cut connection may have been an old one."""


class TimedOutError(ProviderError):
    """No whole answer came in time."""

    outcome = "timeout"


class MalformedError(ProviderError):
    """An answer is not what the contract says: no JSON, another shape, a page for people, far too long."""


class EnvelopeError(ProviderError):
    """The vendor answered 200, and says in the answer that it failed."""

    def __init__(self, url: str, error_code: str, message: str) -> None:
        said = "".join(one if one.isprintable() else " " for one in message[:200]) or "no message"
        super().__init__(url, f"answered 200 with an error: {said} ({error_code[:64] or 'no code'})")
        self.error_code = error_code
        """The vendor's own word, empty where it gave none."""


class CredentialError(ProviderError):
    """The key could not be read, so nothing was asked."""

    outcome = "refused"


class StatusError(ProviderError):
    """The vendor answered with an HTTP status that is no success."""

    def __init__(
        self, url: str, problem: str, *, status: int, error_code: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(url, problem)
        self.status = status
        self.error_code = error_code
        """The vendor's own word, empty where it gave none."""
        self.retry_after_seconds = retry_after_seconds


class UnauthorizedError(StatusError):
    """The credentials were refused (401) or do not suffice (403)."""

    outcome = "refused"


class NotFoundError(StatusError):
    """There is no such thing (404), or not yet, or not any more."""
