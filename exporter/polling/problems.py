"""What went wrong in one cycle of polling: it says how the cycle ended."""

from __future__ import annotations


class Problems:
    """The problems of the cycle under way."""

    def __init__(self) -> None:
        self.malformed = 0
        """Entries of the vendor's answers that could not be read."""
        self._errors: list[Exception] = []

    def clear(self) -> None:
        """Begin a new cycle."""
        self.malformed = 0
        self._errors.clear()

    def add(self, error: Exception) -> None:
        """Note what went wrong."""
        self._errors.append(error)

    def first(self) -> tuple[str, str] | None:
        """Return the outcome of the cycle and its first problem for people; None where there was none."""
        if self.malformed:
            return "error", f"{self.malformed} entries of the vendor's answers could not be read"
        if self._errors:
            error = self._errors[0]
            return getattr(error, "outcome", "error"), str(error) or repr(error)
        return None
