"""A file that processes lock: several for reading, or one of them for writing."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

if sys.platform == "win32":
    import msvcrt

    _SECONDS: Final = 0.05

    def _share(descriptor: int, *, holds: bool) -> None:
        """Windows has no shared locks in Python's library: readers wait for one another."""
        while not holds:
            with suppress(OSError):
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return
            time.sleep(_SECONDS)

    def _take(descriptor: int, *, holds: bool) -> bool:
        if holds:
            return True
        with suppress(OSError):
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            return True
        return False

else:
    import fcntl

    def _share(descriptor: int, *, holds: bool) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_SH)

    def _take(descriptor: int, *, holds: bool) -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        return False


class FileLock:
    """A lock on a file, which is made if it is missing; closing it, and dying, gives it up.

    Raises OSError if the file cannot be made.
    """

    def __init__(self, path: str | Path) -> None:
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._holds = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def share(self) -> None:
        """Lock for reading, as others may too; waits for who writes, gives up a lock to write."""
        _share(self.descriptor, holds=self._holds)
        self._holds = True

    def take(self) -> bool:
        """Lock for writing, alone; False at once if another process has a lock."""
        taken = _take(self.descriptor, holds=self._holds)
        self._holds = self._holds or taken
        return taken

    def close(self) -> None:
        """Give the lock up."""
        os.close(self.descriptor)
