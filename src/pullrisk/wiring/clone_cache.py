"""A cache of folded clones in the home, so that only what is new is read the next time.

Each clone, branch and name has a folder below `clones/`, and beside it a lock. A mark, written
last, says what the folder holds and the digest of each file. Whatever does not fit its mark is
thrown away: that of another version or salt, a rewritten branch, a damaged file, a run that was
killed. Whoever reads shares the lock, whoever writes has it alone.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b, file_digest
from pathlib import Path
from shutil import rmtree
from typing import Final, Self

import msgspec

from pullrisk import atomic
from pullrisk.atomic import make_folder
from pullrisk.file_lock import FileLock

FOLDER: Final = "clones"
MARK: Final = "mark.json"
MOST_CLONES: Final = 8
MOST_BYTES: Final = 2_000_000_000
"""Beyond either, those used least recently are deleted."""
_LOCK: Final = ".lock"
_SQLITES_OWN: Final = ("-wal", "-shm")
"""Files beside a database that its readers make."""
_TRIES: Final = 20
_SECONDS: Final = 0.05


def make_home(home: Path) -> None:
    """Make the home folder if it is missing, such that git does not see it in somebody's clone."""
    if not home.exists():
        make_folder(home)
        (home / ".gitignore").write_text("*\n")


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder was made of and by; only what is equal in all of it may be used."""

    repository: str
    path: str
    ref: str
    version: str
    schema: str
    reader: str
    salt: str

    @property
    def folder(self) -> str:
        """The name of the folder, which a later version shares, to take its place."""
        place = "\0".join((self.repository, self.path, self.ref)).encode()
        name = self.repository.replace("/", "+")
        return f"{name}-{blake2b(place, digest_size=6).hexdigest()}"


class _Mark(msgspec.Struct, frozen=True, kw_only=True):
    """What a complete folder holds: the branch up to `commit`, in files of a size and digest."""

    identity: Identity
    commit: str
    files: dict[str, tuple[int, str]]

    @property
    def size(self) -> int:
        return sum(size for size, _ in self.files.values())


class CachedClone:
    """A locked folder. `complete` says that it holds the branch up to the commit asked for.

    One that is not complete is empty or ends at an earlier commit, and is this process's alone:
    fold the rest, then `seal`.
    """

    def __init__(
        self, path: Path, identity: Identity, head: str, lock: FileLock, *, complete: bool
    ) -> None:
        self.path, self.complete = path, complete
        self._identity, self._head, self._lock = identity, head, lock

    @classmethod
    def open(
        cls, home: Path, identity: Identity, head: str, *, descends: Callable[[str], bool]
    ) -> Self | None:
        """The folder of a clone whose branch is at `head`, which `descends` from given commits.

        Waits for a process that writes it. Returns None if others are reading what would have to
        be written. Raises OSError if the home cannot be written.
        """
        path = home / FOLDER / identity.folder
        path.parent.mkdir(mode=0o700, exist_ok=True)
        lock = _lock_of(path)
        try:
            complete = _lock(lock, path, identity, head)
            if complete is None:
                lock.close()
                return None
            clone = cls(path, identity, head, lock, complete=complete)
            if complete:
                os.utime(path / MARK)
            else:
                clone._prepare(descends)
        except BaseException:
            lock.close()
            raise
        return clone

    def _prepare(self, descends: Callable[[str], bool]) -> None:
        """Leave what can be gone on from, or nothing; without its mark until it is sealed."""
        mark = _whole(self.path, self._identity)
        if mark is None or not descends(mark.commit):
            self._delete()
        with suppress(FileNotFoundError):
            (self.path / MARK).unlink()
        self.path.mkdir(mode=0o700, exist_ok=True)

    def seal(self, commit: str | None = None) -> None:
        """Mark what was folded, up to `commit` if not to the end, and let others read it too.

        No file of it may be open for writing.
        """
        files = _digests(self.path)
        mark = _Mark(identity=self._identity, commit=commit or self._head, files=files)
        atomic.replace(self.path / MARK, msgspec.json.encode(mark))
        self.complete = True
        self._lock.share()
        delete_oldest(self.path.parent, but=self.path)

    def close(self) -> None:
        """Unlock the folder; one that was not sealed is deleted."""
        if not self.complete:
            self._delete()
        self._lock.close()

    def _delete(self) -> None:
        if self.path.exists():
            rmtree(self.path)


def _lock_of(path: Path) -> FileLock:
    return FileLock(f"{path}{_LOCK}")


def _lock(lock: FileLock, path: Path, identity: Identity, head: str) -> bool | None:
    """Lock for reading (True) what is complete, or else for writing (False); None if others read.

    Changing from one to the other gives up the first, so another process may come between.
    """
    for _ in range(_TRIES):
        lock.share()
        mark = _whole(path, identity)
        if mark is not None and mark.commit == head:
            return True
        if lock.take():
            return False
        time.sleep(_SECONDS)
    return None


def _whole(path: Path, identity: Identity) -> _Mark | None:
    """The mark of a folder that is as it says; None of any other."""
    mark = _mark(path)
    if mark is None or mark.identity != identity:
        return None
    with suppress(OSError):
        if _digests(path) == mark.files:
            return mark
    return None


def _mark(path: Path) -> _Mark | None:
    with suppress(OSError, ValueError, RecursionError):
        return msgspec.json.decode((path / MARK).read_bytes(), type=_Mark)
    return None


def _digests(path: Path) -> dict[str, tuple[int, str]]:
    """Size and digest of each file below a folder, by its path there."""
    digests = {}
    for file in sorted(path.rglob("*")):
        name = str(file.relative_to(path))
        if file.is_file() and name != MARK and not name.endswith(_SQLITES_OWN):
            with file.open("rb") as opened:
                digest = file_digest(opened, "blake2b").hexdigest()[:32]
            digests[name] = (file.stat().st_size, digest)
    return digests


def cached_clones(home: Path) -> list[tuple[Path, int]]:
    """The folders of complete clones and their bytes, the last used first."""
    marks = [(path.parent, _mark(path.parent)) for path in _by_use(home / FOLDER)]
    return [(path, mark.size) for path, mark in marks if mark is not None]


def delete_oldest(folder: Path, *, but: Path) -> None:
    """Delete what is beyond the bounds or was left by a killed run, unless it is being used."""
    size = count = 0
    complete = [path.parent for path in _by_use(folder)]
    for path in complete:
        mark = _mark(path)
        count, size = count + 1, size + (mark.size if mark else 0)
        if path != but and (mark is None or count > MOST_CLONES or size > MOST_BYTES):
            _delete_unused(path)
    for path in folder.iterdir():
        if path.is_dir() and path not in complete and path != but:
            _delete_unused(path)


def _by_use(folder: Path) -> list[Path]:
    """The marks in a folder of clones, the last used first."""
    marks = []
    for mark in folder.glob(f"*/{MARK}"):
        with suppress(FileNotFoundError):
            marks.append((mark.stat().st_mtime, mark))
    return [mark for _, mark in sorted(marks, reverse=True)]


def _delete_unused(path: Path) -> None:
    with _lock_of(path) as lock:
        if lock.take():
            rmtree(path, ignore_errors=True)
