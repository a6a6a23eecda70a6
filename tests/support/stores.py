"""Stores that misbehave as machines do; importable where Spark's executors run."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from pullrisk.errors import StoreError
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore


class _Kept(SqliteStore):
    """Stays of its own class where it is sent."""

    def __reduce__(self) -> tuple[type[SqliteStore], tuple[Path]]:
        return type(self), (self.path,)


class _MishapStore(_Kept):
    """Something happens to it once, in the middle of the repository whose name ends so."""

    repository_end: str
    mark: str
    """Suffix of the file that tells that it has happened."""

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        happened = Path(f"{self.path}.{self.mark}")
        for count, pull in enumerate(super().events(repository, numbers=numbers)):
            if count == 5 and repository.endswith(self.repository_end) and not happened.exists():
                happened.touch()
                self.mishap()
            yield pull

    def mishap(self) -> None:
        raise NotImplementedError


class FlakyStore(_MishapStore):
    """Its connection breaks once, in the middle of the second repository that is read."""

    repository_end, mark = "1", "broken"

    def mishap(self) -> None:
        raise StoreError("the connection broke")


class BrokenStore(_Kept):
    """Its connection breaks every time."""

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        for _ in super().events(repository, numbers=numbers):
            raise StoreError("the connection broke", hint="mend it")
        yield from ()


class SlowStore(_Kept):
    """Takes its time, so that something can happen in the middle."""

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        for pull in super().events(repository, numbers=numbers):
            time.sleep(0.01)
            yield pull


class StuckStore(_MishapStore):
    """Whoever reads the last repository first gets stuck there for minutes."""

    repository_end, mark = "8", "stuck"

    def mishap(self) -> None:
        time.sleep(600)


class OtherStore(SqliteStore):
    """What a worker without the driver's disk sees: another, empty file."""

    def __reduce__(self) -> tuple[type[SqliteStore], tuple[Path]]:
        return SqliteStore, (Path(f"{self.path}.other"),)
