"""A cache of repositories' histories, read from the lake when first asked for.

A history that can answer takes three times the bytes that it was saved as. So only those used
last are kept ready, within a bound on memory; the others are kept compressed, at a tenth of the
size, and one of them is made ready in some milliseconds, without the lake.
"""

import ctypes
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock
from typing import Final

import msgspec

from pullrisk.errors import LakeError
from pullrisk.features import RepositoryHistory
from pullrisk.pulls.record import Pull
from pullrisk.score.folded import Folded

_UNKNOWN: Final = 1_000
"""Repositories remembered as having no history, apart from those that have one."""
_READY: Final = 3.2
"""Times its saved size that a ready history takes: measured on 17 repositories, 200,000 pulls."""


LaterEvents = Callable[[str, datetime], Sequence[Pull]]
"""Events of a repository later than a moment, in event order, which the lake may not know yet."""


def _none_later(repository: str, moment: datetime) -> Sequence[Pull]:
    return ()


class CachedHistory(msgspec.Struct, frozen=True):
    """A history (None: the lake has none of this repository) and the run that wrote it."""

    history: RepositoryHistory | None
    run: int | None

    @property
    def as_of(self) -> datetime | None:
        """Time of the latest event that the history knows."""
        return None if self.history is None else self.history.as_of


class _Entry(msgspec.Struct, frozen=True):
    """What is in memory of every repository in the cache, its history ready or not.

    `packed` is None without a history, and in a cache that compresses nothing; `size` is the
    saved history's, in bytes.
    """

    run: int | None
    as_of: datetime | None
    size: int = 0
    packed: bytes | None = None


class HistoryCache:
    """At most `limit` repositories, of them ready as many as fit into `ready_bytes`.

    The least recently used are forgotten, or kept compressed only. Threads may share it.

    Each history observes what `later` knows beyond the lake, by the very method of the next
    replay; `refresh` looks for more. What arrives late, out of order, is left to that replay.
    """

    def __init__(
        self,
        lake: Folded,
        *,
        limit: int | None = None,
        ready_bytes: int | None = None,
        later: LaterEvents = _none_later,
    ) -> None:
        self._lake, self._limit, self._ready_bytes = lake, limit, ready_bytes
        self._later = later
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._ready: OrderedDict[str, CachedHistory] = OrderedDict()
        self._unknown: OrderedDict[str, CachedHistory] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def ready(self) -> int:
        """How many histories can answer at once."""
        return len(self._ready)

    def peek(self, repository: str) -> CachedHistory | None:
        """The history if it is ready, else None; takes no time."""
        with self._lock:
            cached = self._ready.get(repository)
            if cached is not None:
                self._ready.move_to_end(repository)
                self._entries.move_to_end(repository)
            else:
                cached = self._unknown.get(repository)
        return cached

    def decompress(self, repository: str) -> CachedHistory | None:
        """The history if it is in the cache in either form, else None; takes milliseconds."""
        cached = self.peek(repository)
        entry = self._entries.get(repository)
        if cached is not None or entry is None or entry.packed is None:
            return cached
        cached = CachedHistory(self._current_history(repository, _unpacked(entry)), entry.run)
        self._keep(repository, entry, cached)
        return cached

    def get(self, repository: str) -> CachedHistory:
        """The history from the cache, else from the lake. Raises LakeError."""
        return self.decompress(repository) or self._read(repository)

    def refresh(self) -> int:
        """Read anew what later runs wrote; returns how many. One that cannot be read stays."""
        changed = 0
        with self._lock:
            runs = [(name, entry.run) for name, entry in self._entries.items()]
            runs += [(name, cached.run) for name, cached in self._unknown.items()]
        for repository, run in runs:
            if self._current(repository) != run:
                self._read(repository)
                changed += 1
        return changed + sum(map(self._observe_later, list(self._ready)))

    def move(self, lake: Folded) -> None:
        """Read from this lake from now on; what is in memory stays."""
        self._lake = lake

    def as_of(self) -> list[tuple[str, datetime | None]]:
        """The latest event known of each repository in memory, by name."""
        with self._lock:
            return sorted((name, entry.as_of) for name, entry in self._entries.items())

    def _current(self, repository: str) -> int | None:
        return self._lake.current_run(repository) if self._lake.exists() else None

    def _observe_later(self, repository: str) -> bool:
        """Make the history anew if it is ready and more has happened; the old one stays as it is,
        since somebody may be scoring by it."""
        cached, entry = self._ready.get(repository), self._entries.get(repository)
        if cached is None or cached.as_of is None or entry is None or entry.packed is None:
            return False
        if not self._later(repository, cached.as_of):
            return False
        history = self._current_history(repository, _unpacked(entry))
        self._keep(repository, entry, CachedHistory(history, entry.run))
        return True

    def _current_history(self, repository: str, saved: bytes) -> RepositoryHistory:
        """The saved history, and all that has happened since."""
        history = _restore(repository, saved)
        if history.as_of is not None:
            for pull in self._later(repository, history.as_of):
                history.observe(pull)
        return history

    def _read(self, repository: str) -> CachedHistory:
        run = self._current(repository)
        saved = None if run is None else self._lake.history(repository)
        if saved is None:
            cached = CachedHistory(None, run)
            self._note_unknown(repository, cached)
            return cached
        cached = CachedHistory(self._current_history(repository, saved), run)
        packed = None if self._ready_bytes is None else _packed(saved)
        self._keep(repository, _Entry(run, cached.as_of, len(saved), packed), cached)
        return cached

    def _note_unknown(self, repository: str, cached: CachedHistory) -> None:
        """Remember that there is none; however many are asked for, no history makes room."""
        with self._lock:
            self._entries.pop(repository, None)
            self._ready.pop(repository, None)
            self._unknown[repository] = cached
            while len(self._unknown) > _UNKNOWN:
                self._unknown.popitem(last=False)

    def _keep(self, repository: str, entry: _Entry, cached: CachedHistory) -> None:
        with self._lock:
            self._unknown.pop(repository, None)
            self._entries[repository], self._ready[repository] = entry, cached
            self._entries.move_to_end(repository)
            self._ready.move_to_end(repository)
            while self._limit is not None and len(self._entries) > self._limit:
                name, _ = self._entries.popitem(last=False)
                self._ready.pop(name, None)
            self._drop_ready()

    def _drop_ready(self) -> None:
        """Keep only compressed what was used least recently, but never the last one asked for."""
        if self._ready_bytes is None:
            return
        taken = sum(self._entries[name].size for name in self._ready) * _READY
        if taken <= self._ready_bytes:
            return
        while taken > self._ready_bytes and len(self._ready) > 1:
            name, _ = self._ready.popitem(last=False)
            taken -= self._entries[name].size * _READY
        give_back_memory()


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc)."""
    trim = None if os.name == "nt" else getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _packed(saved: bytes) -> bytes:
    import pyarrow as pa

    packed: bytes = pa.compress(saved, codec="zstd", asbytes=True)
    return packed


def _unpacked(entry: _Entry) -> bytes:
    import pyarrow as pa

    saved: bytes = pa.decompress(entry.packed, entry.size, codec="zstd", asbytes=True)
    return saved


def _restore(repository: str, saved: bytes) -> RepositoryHistory:
    try:
        return RepositoryHistory.load(saved)
    except ValueError as error:
        raise LakeError(
            f"the history of {repository} cannot be used: {error}",
            hint="run `pullrisk preprocess`: it rebuilds this repository",
        ) from error
