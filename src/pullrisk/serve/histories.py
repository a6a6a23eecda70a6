"""Repositories' histories, read from the lake when first asked for, at most so many in memory."""

from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from pullrisk.errors import LakeError
from pullrisk.features import RepositoryHistory

if TYPE_CHECKING:
    from pullrisk.lake import Lake


class Held(msgspec.Struct, frozen=True):
    """A history (None: the lake has none of this repository) and the run that wrote it."""

    history: RepositoryHistory | None
    run: int | None

    @property
    def as_of(self) -> datetime | None:
        """Time of the latest event that the history knows."""
        return None if self.history is None else self.history.as_of


class Histories:
    """The least recently used are forgotten beyond `limit`. Threads may share it."""

    def __init__(self, lake: "Lake", *, limit: int | None = None) -> None:
        self._lake, self._limit = lake, limit
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = Lock()
        self.hits = self.misses = 0

    def __len__(self) -> int:
        return len(self._held)

    def peek(self, repository: str) -> Held | None:
        """What is in memory, without a look at the lake."""
        with self._lock:
            held = self._held.get(repository)
            if held is not None:
                self._held.move_to_end(repository)
                self.hits += 1
        return held

    def get(self, repository: str) -> Held:
        """From memory, else from the lake. Raises LakeError."""
        held = self.peek(repository)
        if held is None:
            self.misses += 1
            held = self._read(repository)
            self._keep(repository, held)
        return held

    def refresh(self) -> int:
        """Read anew what later runs wrote; how many. A history that cannot be read stays."""
        changed = 0
        for repository, held in list(self._held.items()):
            if self._current(repository) != held.run:
                self._keep(repository, self._read(repository))
                changed += 1
        return changed

    def move(self, lake: "Lake") -> None:
        """Read from this lake from now on; what is in memory stays."""
        self._lake = lake

    def items(self) -> list[tuple[str, Held]]:
        """What is in memory, by repository."""
        with self._lock:
            return sorted(self._held.items())

    def _current(self, repository: str) -> int | None:
        return self._lake.current_run(repository) if self._lake.exists() else None

    def _keep(self, repository: str, held: Held) -> None:
        with self._lock:
            self._held[repository] = held
            self._held.move_to_end(repository)
            while self._limit is not None and len(self._held) > self._limit:
                self._held.popitem(last=False)

    def _read(self, repository: str) -> Held:
        run = self._current(repository)
        saved = None if run is None else self._lake.history(repository)
        return Held(None if saved is None else _restore(repository, saved), run)


def _restore(repository: str, saved: bytes) -> RepositoryHistory:
    try:
        return RepositoryHistory.load(saved)
    except ValueError as error:
        raise LakeError(
            f"the history of {repository} cannot be used: {error}",
            hint="run `pullrisk preprocess`: it rebuilds this repository",
        ) from error
