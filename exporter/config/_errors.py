"""The errors of this package, each problem with its place in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file. Ordered by its place, so that problems sort in file order."""

    line: int
    column: int
    path: str
    """The key path, such as `sources[0].interval`; empty for the file as a whole."""
    message: str

    def text(self, file: Path) -> str:
        """Return the line that people read."""
        key = f"{self.path}: " if self.path else ""
        return f"{file}:{self.line}:{self.column}: {key}{self.message}"


class ConfigError(Exception):
    """A configuration that cannot be used; its text has one line for each problem, in file order."""

    def __init__(self, file: Path, problems: Iterable[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(problem.text(file) for problem in self.problems))


class SecretError(Exception):
    """A secret that cannot be had now. The text names the file, never the content."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the file {str(path)!r} {reason}")
