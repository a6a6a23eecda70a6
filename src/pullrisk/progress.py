"""Progress of long work: a port that stages report to, silent by default, rich on a terminal."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One piece of long work under way."""

    def advance(self, amount: float = 1) -> None:
        """`amount` more units are done."""

    def describe(self, description: str) -> None:
        """Say what is being worked on now."""


class Progress(Protocol):
    """Where a stage reports how far it is."""

    def task(
        self, description: str, *, total: float | None, unit: str
    ) -> AbstractContextManager[Task]:
        """Open a task of `total` units (None = unknown); leaving the context ends it."""


class _SilentTask:
    def advance(self, amount: float = 1) -> None:
        pass

    def describe(self, description: str) -> None:
        pass


class Silent:
    """Reports nothing: for tests, pipes and library use."""

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator[Task]:
        """A task that reports nothing."""
        yield _SilentTask()
