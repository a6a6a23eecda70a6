"""A file that processes lock: several for reading, or one of them for writing.

POSIX may change a lock in two steps, between which another process takes it. So there is a second
file, which whoever changes a lock holds meanwhile, and a writer all the time.
"""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

if sys.platform == "win32":
    import msvcrt

    _SECONDS: Final = 0.05

    _FILES: Final = 1

    def _share(descriptors: list[int], *, holds: bool) -> None:
        """Windows has no shared locks in Python's library: readers wait for one another."""
        while not holds:
            with suppress(OSError):
                msvcrt.locking(descriptors[0], msvcrt.LK_NBLCK, 1)
                return
            time.sleep(_SECONDS)

    def _take(descriptors: list[int], *, holds: bool) -> bool:
        if holds:
            return True
        with suppress(OSError):
            msvcrt.locking(descriptors[0], msvcrt.LK_NBLCK, 1)
            return True
        return False

else:
    import fcntl

    _FILES: Final = 2

    def _share(descriptors: list[int], *, holds: bool) -> None:
        lock, changes = descriptors
        if not holds:
            fcntl.flock(changes, fcntl.LOCK_SH)
        fcntl.flock(lock, fcntl.LOCK_SH)
        fcntl.flock(changes, fcntl.LOCK_UN)

    def _take(descriptors: list[int], *, holds: bool) -> bool:
        lock, changes = descriptors
        with suppress(BlockingIOError):
            fcntl.flock(changes, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                if holds:  # refused, it may be lost
                    fcntl.flock(lock, fcntl.LOCK_SH)
                fcntl.flock(changes, fcntl.LOCK_UN)
        return False


class FileLock:
    """A lock on a file, which is made if it is missing; closing it, and dying, gives it up.

    Raises OSError if the file cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self._descriptors: list[int] = []
        self._holds = False
        try:
            for each in (path, f"{path}.changes")[:_FILES]:
                self._descriptors.append(os.open(each, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def descriptor(self) -> int:
        """What holds the lock for whoever inherits it."""
        return self._descriptors[0]

    def share(self) -> None:
        """Lock for reading, as others may too; waits for who writes, gives up a lock to write."""
        _share(self._descriptors, holds=self._holds)
        self._holds = True

    def take(self) -> bool:
        """Lock for writing, alone; False at once if another process has a lock."""
        taken = _take(self._descriptors, holds=self._holds)
        self._holds = self._holds or taken
        return taken

    def close(self) -> None:
        """Give the lock up."""
        for descriptor in self._descriptors:
            os.close(descriptor)
