"""The embedded pull store: one SQLite file, with many readers beside one writer."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from threading import RLock
from typing import Any, Final, Self, TypeAlias, TypeVar

import msgspec

from pullrisk.errors import StoreError
from pullrisk.pulls import record
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite_file import (
    TIMEOUT,
    open_reader,
    open_writer,
    transaction,
    translate_errors,
)
from pullrisk.pulls.store import RepositorySummary, Written, microseconds, moment
from pullrisk.pulls.versions import join_versions

_UPSERT: Final = """
INSERT INTO pulls (repository, number, updated_at, event_at, state, files, fingerprint, payload)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (repository, number) DO UPDATE SET
    updated_at = excluded.updated_at, event_at = excluded.event_at, state = excluded.state,
    files = excluded.files, fingerprint = excluded.fingerprint, payload = excluded.payload
WHERE excluded.updated_at > updated_at
   OR (excluded.updated_at = updated_at AND excluded.payload <> payload)
"""
_STORED: Final = "SELECT payload FROM pulls WHERE repository = ? AND number = ?"
_SUMMARY: Final = """
SELECT repository, sum(number > 0), sum(state = 'merged'), sum(state = 'open'),
       sum(iif(number > 0, files, 0)), min(iif(number > 0, event_at, NULL)),
       max(iif(number > 0, event_at, NULL)), max(iif(number > 0, updated_at, NULL)),
       sum(number < 0)
FROM pulls INDEXED BY pulls_by_event
GROUP BY repository HAVING sum(number > 0) > 0 ORDER BY repository
"""
_FINGERPRINTS: Final = """
SELECT number, fingerprint FROM pulls INDEXED BY pulls_by_event
WHERE repository = ? AND event_at IS NOT NULL
"""
_EVENTS: Final = """
SELECT payload, number FROM pulls INDEXED BY pulls_by_event
WHERE repository = ? AND event_at IS NOT NULL ORDER BY event_at, number
"""
_MERGES: Final = """
SELECT payload, number FROM pulls INDEXED BY pulls_by_event
WHERE repository = ? AND event_at IS NOT NULL
"""
_EVENTS_AMONG: Final = """
SELECT payload, number FROM pulls INDEXED BY pulls_by_event
WHERE repository = ? AND event_at IS NOT NULL AND number IN (SELECT value FROM json_each(?))
ORDER BY event_at, number
"""
_EVENTS_SINCE: Final = """
SELECT payload, number FROM pulls INDEXED BY pulls_by_event
WHERE repository = ? AND event_at > ? ORDER BY event_at, number
"""
_PULLS: Final = """
SELECT payload, number FROM pulls WHERE repository = ? AND number > 0 ORDER BY number
"""
_PUSHES: Final = """
SELECT payload, number FROM pulls WHERE repository = ? AND number < 0 ORDER BY number
"""
_RECENT: Final = """
SELECT payload, number FROM pulls INDEXED BY pulls_by_update
WHERE (?1 IS NULL OR repository = ?1) AND (?2 IS NULL OR state = ?2) AND number > 0
ORDER BY updated_at DESC, repository, number LIMIT ?3
"""

T = TypeVar("T")
Row: TypeAlias = tuple[str, int, int, int | None, str, int, int, bytes]


class SqliteStore:
    """A `PullStore` in one SQLite file (WAL); threads may share it, each process opens its own.

    Nothing is created before the first write; until then the store is empty. `timeout` is how
    many seconds to wait for another writer. All methods raise StoreError.
    """

    def __init__(self, path: Path, *, timeout: float = TIMEOUT) -> None:
        self.path = path
        self._timeout = timeout
        self._lock = RLock()
        self._writer: sqlite3.Connection | None = None
        self._idle_readers: deque[sqlite3.Connection] = deque()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[type["SqliteStore"], tuple[Path]]:
        """Pickle the path: another process opens the file for itself."""
        return SqliteStore, (self.path,)

    def upsert(
        self, pulls: Iterable[Pull], *, checkpoint: tuple[str, Mapping[str, object]] | None = None
    ) -> Written:
        """Write pulls and checkpoint in one transaction; see `PullStore.upsert`."""
        seen = 0

        def rows() -> Iterator[Row]:
            nonlocal seen
            for seen, pull in enumerate(pulls, 1):  # noqa: B007
                yield _row(_join_stored(connection, pull))

        with self._writing() as connection:
            before = _last_id(connection)
            changed = connection.executemany(_UPSERT, rows()).rowcount
            # Rows are never deleted, so ids grow by one for each row inserted.
            inserted = _last_id(connection) - before
            if checkpoint is not None:
                key, value = checkpoint
                connection.execute(
                    "INSERT OR REPLACE INTO checkpoints VALUES (?, ?)",
                    (key, msgspec.json.encode(value).decode()),
                )
        return Written(inserted, changed - inserted, seen - changed)

    def get(self, repository: str, number: int) -> Pull | None:
        """One pull, or None."""
        query = "SELECT payload, number FROM pulls WHERE repository = ? AND number = ?"
        return next(self._pulls(query, (repository, number)), None)

    def repositories(self) -> list[RepositorySummary]:
        """A summary of every repository that has a pull; reads one index and no payload."""
        rows = self._rows(_SUMMARY)
        return [
            RepositorySummary(
                repository=repository,
                pulls=pulls,
                merged=merged,
                open=still_open,
                files=files,
                first_event_at=None if first is None else moment(first),
                last_event_at=None if last is None else moment(last),
                last_updated_at=moment(updated),
                pushes=pushes,
            )
            for repository, pulls, merged, still_open, files, first, last, updated, pushes in rows
        ]

    def fingerprints(self, repository: str) -> dict[int, int]:
        """Number → fingerprint of every event; reads one index, no payload."""
        return dict(self._rows(_FINGERPRINTS, (repository,)))

    def events(self, repository: str, *, numbers: Iterable[int] | None = None) -> Iterator[Pull]:
        """Events in their order, as of the moment when the first is read."""
        if numbers is None:
            return self._pulls(_EVENTS, (repository,))
        among = msgspec.json.encode(list(numbers)).decode()
        return self._pulls(_EVENTS_AMONG, (repository, among))

    def events_since(self, repository: str, moment: datetime) -> list[Pull]:
        """The events later than the moment, in event order; reads those alone."""
        return list(self._pulls(_EVENTS_SINCE, (repository, microseconds(moment))))

    def merges(self, repository: str) -> dict[str, int]:
        """Number by the commit that merged it."""
        merges = self._decoded(_MERGES, (repository,), record.decode_merge)
        return {sha: number for sha, number in merges if sha is not None}

    def pulls(self, repository: str) -> Iterator[Pull]:
        """All pulls by number, open ones too, as of the moment when the first is read."""
        return self._pulls(_PULLS, (repository,))

    def pushes(self, repository: str) -> Iterator[Pull]:
        """All direct pushes by number, as of the moment when the first is read."""
        return self._pulls(_PUSHES, (repository,))

    def recent(
        self, *, repository: str | None = None, state: str | None = None, limit: int = 100
    ) -> list[Pull]:
        """Pulls by last update, newest first."""
        return list(self._pulls(_RECENT, (repository, state, max(limit, 0))))

    def checkpoint(self, key: str) -> dict[str, object] | None:
        """The value last saved under the key, or None."""
        query = "SELECT value FROM checkpoints WHERE key = ?"
        row = next(self._rows(query, (key,)), None)
        return None if row is None else msgspec.json.decode(row[0], type=dict[str, object])

    def checkpoints(self) -> dict[str, dict[str, object]]:
        """Every checkpoint by its key."""
        rows = self._rows("SELECT key, value FROM checkpoints ORDER BY key")
        return {key: msgspec.json.decode(value, type=dict[str, object]) for key, value in rows}

    def close(self) -> None:
        """Close the file, when the reads under way have ended. Safe to call twice."""
        with self._lock:
            self._closed = True
            if self._writer is not None:
                self._writer.close()
                self._writer = None
        with suppress(IndexError):  # others that end a read may close them too
            while True:
                self._idle_readers.pop().close()

    def _pulls(self, query: str, values: tuple[object, ...]) -> Iterator[Pull]:
        return (pull for pull, _ in self._decoded(query, values, record.decode))

    def _decoded(
        self, query: str, values: tuple[object, ...], decode: Callable[[bytes], T]
    ) -> Iterator[tuple[T, int]]:
        """What the rows (payload, number) hold, with the number."""
        for payload, number in self._rows(query, values):
            try:
                yield decode(payload), number
            except msgspec.MsgspecError as error:
                raise StoreError(
                    f"pull store {self.path}: pull {number} cannot be decoded: {error}",
                    hint="upgrade pullrisk, or move the store away and fetch again",
                ) from error

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
        with translate_errors(self.path), self._reading() as connection:
            if connection is not None:
                with closing(connection.execute(query, values)) as cursor:
                    yield from cursor

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A connection for one query, or None if nothing is stored yet."""
        self._refuse_closed()
        try:
            connection: sqlite3.Connection | None = self._idle_readers.pop()
        except IndexError:
            connection = open_reader(self.path, self._timeout)
        try:
            yield connection
        finally:
            if connection is not None:
                self._idle_readers.append(connection)
                if self._closed:
                    self.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """The connection for writing, in a transaction that is rolled back after an error."""
        with self._lock, translate_errors(self.path):
            self._refuse_closed()
            if self._writer is None:
                self._writer = open_writer(self.path, self._timeout)
            with transaction(self._writer) as connection:
                yield connection

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreError(f"pull store {self.path} is closed")


def _join_stored(connection: sqlite3.Connection, pull: Pull) -> Pull:
    """The pull with the names that the stored version knows; the stored one if that is newer."""
    row = connection.execute(_STORED, (pull.repository, pull.number)).fetchone()
    if row is None:
        return pull
    try:
        return join_versions(record.decode(row[0]), pull)
    except msgspec.MsgspecError:
        return pull


def _row(pull: Pull) -> Row:
    event_at = pull.event_at
    return (
        pull.repository,
        pull.number,
        microseconds(pull.updated_at),
        None if event_at is None else microseconds(event_at),
        pull.state,
        len(pull.files or ()),
        record.fingerprint(pull),
        record.encode(pull),
    )


def _last_id(connection: sqlite3.Connection) -> int:
    last: int = connection.execute("SELECT coalesce(max(id), 0) FROM pulls").fetchone()[0]
    return last
