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


class FlakyStore(_Kept):
    """Its connection breaks once, in the middle of the second repository that is read."""

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        broken = Path(f"{self.path}.broken")
        for count, pull in enumerate(super().events(repository, numbers=numbers)):
            if count == 5 and repository.endswith("1") and not broken.exists():
                broken.touch()
                raise StoreError("the connection broke")
            yield pull


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
            time.sleep(0.02)
            yield pull


class StuckStore(_Kept):
    """Whoever reads the last repository first gets stuck there for minutes."""

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        stuck = Path(f"{self.path}.stuck")
        for count, pull in enumerate(super().events(repository, numbers=numbers)):
            if count == 5 and repository.endswith("8") and not stuck.exists():
                stuck.touch()
                time.sleep(600)
            yield pull


class OtherStore(SqliteStore):
    """What a worker without the driver's disk sees: another, empty file."""

    def __reduce__(self) -> tuple[type[SqliteStore], tuple[Path]]:
        return SqliteStore, (Path(f"{self.path}.other"),)
