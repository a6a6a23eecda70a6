"""The SQLite file of the pull store: its schema, opening it, the meaning of its errors."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any, ClassVar, Final, TypeVar

from pullrisk.atomic import make_folder
from pullrisk.errors import StoreError

T = TypeVar("T")

APPLICATION_ID: Final = 0x70756C6C
"""`pull` in ASCII, in the header of every store; databases of other programs are refused."""
TIMEOUT: Final = 30.0
"""Seconds to wait for another writer."""
VERSION: Final = 1
"""Version of the schema, kept in `PRAGMA user_version`."""

# `payload` stands last so that the columns before it are read without its overflow pages.
# `pulls_by_event` covers `fingerprints` and `repositories`; `pulls_by_update` covers the
# filters of `recent`. Times are microseconds since 1970 in UTC.
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS pulls (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    number INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    event_at INTEGER,
    state TEXT NOT NULL,
    files INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (repository, number)
);
CREATE INDEX IF NOT EXISTS pulls_by_event
    ON pulls (repository, event_at, number, fingerprint, state, files, updated_at);
CREATE INDEX IF NOT EXISTS pulls_by_update
    ON pulls (updated_at DESC, repository, number, state);
CREATE TABLE IF NOT EXISTS checkpoints (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
COMMIT;
"""

_ADVICE: Final = {
    "SQLITE_FULL": ("the disk is full", "free some space and run the command again"),
    "SQLITE_BUSY": ("another process is writing to it", "wait for it to end, or stop it"),
    "SQLITE_LOCKED": ("another process is writing to it", "wait for it to end, or stop it"),
    "SQLITE_READONLY": ("it is read-only", "change the permissions of the file and its folder"),
    "SQLITE_CANTOPEN": (
        "it cannot be opened",
        "check that its folder can be written: SQLite keeps its log beside the file",
    ),
    "SQLITE_NOTADB": ("it is not an SQLite database", "name another file, or move this one away"),
    "SQLITE_CORRUPT": ("it is damaged", "move it away and fetch again"),
    "SQLITE_IOERR": (
        "reading or writing the disk failed",
        "is the disk full? free some space, or check its health, and run the command again",
    ),
}


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """The connection in a transaction for writing, which is rolled back after an error."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def open_writer(path: Path, timeout: float) -> sqlite3.Connection:
    """A connection for writing; creates the folder, the file and the schema if missing.

    `timeout` is how many seconds to wait for another writer. Raises StoreError.
    """
    try:
        make_folder(path.parent)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise StoreError(
            f"cannot create the folder of the pull store, {path.parent}: {error.strerror}",
            hint="check the path and the permissions, or set PULLRISK_HOME",
        ) from error
    connection = _connect(path, mode="rwc", timeout=timeout)
    try:
        _retry_while_locked(lambda: _create(connection, path), timeout)
        # NORMAL: a power cut may undo the last commits but never tears one, and since pulls
        # and checkpoint commit together, the next run fetches exactly what was undone.
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path, timeout: float) -> sqlite3.Connection | None:
    """A connection for reading only, or None if nothing was ever stored. Raises StoreError."""
    if not path.exists():
        return None
    connection = _connect(path, mode="rw", timeout=timeout)
    try:
        if _retry_while_locked(lambda: _is_store(connection, path), timeout):
            connection.execute("PRAGMA query_only = ON")
            return connection
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


class SqliteTable:
    """Tables of the SCHEMA beside the pulls, made at the first write; until then they are empty.

    Threads may share it, and who reads waits for no writer; each process opens its own. All
    methods raise StoreError.
    """

    SCHEMA: ClassVar[str]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading, self._writing = RLock(), RLock()
        self._connections: dict[str, sqlite3.Connection] = {}

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._reading, self._writing:
            while self._connections:
                self._connections.popitem()[1].close()

    def _rows(self, query: str, values: Any = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401
        if not self.path.exists():
            return []
        with self._reading, translate_errors(self.path):
            return self._opened("reader").execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """The connection for writing, in a transaction that is rolled back after an error."""
        with (
            self._writing,
            translate_errors(self.path),
            transaction(self._opened("writer")) as connection,
        ):
            yield connection

    def _opened(self, use: str) -> sqlite3.Connection:
        if use not in self._connections:
            connection = open_writer(self.path, TIMEOUT)
            connection.executescript(self.SCHEMA)
            self._connections[use] = connection
        return self._connections[use]


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as StoreErrors that name the file and say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        family = "_".join(name.split("_")[:2])  # SQLITE_READONLY_DIRECTORY → SQLITE_READONLY
        what, hint = _ADVICE.get(family, (str(error), None))
        raise StoreError(f"pull store {path}: {what} ({error})", hint=hint) from error


def _connect(path: Path, *, mode: str, timeout: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,  # the store hands each connection to one thread at a time
    )


def _retry_while_locked(work: Callable[[], T], timeout: float) -> T:
    """Repeat while others lock the file: SQLite itself does not wait for the change to WAL."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return work()
        except sqlite3.OperationalError as error:
            busy = (error.sqlite_errorcode & 0xFF) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    if not _is_store(connection, path):
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_SCHEMA)


def _is_store(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has the schema; False if it is empty.

    Raises StoreError for a newer schema or the database of another program.
    """
    connection.execute("BEGIN")  # one snapshot for all three: another may be creating it
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    finally:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
    if application == APPLICATION_ID:
        if version > VERSION:
            raise StoreError(
                f"pull store {path} has schema version {version}, this pullrisk knows {VERSION}",
                hint="upgrade pullrisk, or name another store",
            )
        return True
    if tables:
        raise StoreError(
            f"{path} is a database of another program",
            hint="name another file for the pull store",
        )
    return False
