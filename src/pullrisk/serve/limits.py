"""How many requests a key may make: a token bucket each, which all workers share."""

import fcntl
import mmap
import os
from hashlib import blake2b
from math import ceil
from pathlib import Path
from struct import Struct
from typing import Final

_SLOTS: Final = 4_096
_PROBES: Final = 8
_SLOT: Final = Struct("=8sdd")
"""A key's digest, requests left, and when that was, in monotonic seconds."""
_SIZE: Final = _SLOTS * _SLOT.size


class RateLimit:
    """`rate` requests a second for each key, up to `burst` at once; a rate of 0 is no limit.

    Processes that name the same `path` share the buckets. The file's lock ends with the process
    that holds it, however that process ends.
    """

    def __init__(self, rate: float, burst: int, *, path: Path | None = None) -> None:
        self._rate, self._burst = rate, float(burst)
        self._file = -1
        if rate and path is not None:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.ftruncate(self._file, _SIZE)
        self._slots = mmap.mmap(self._file, _SIZE)

    def wait(self, key: str, now: float) -> int:
        """Whole seconds until the key may ask again; 0 takes one request. `now` is monotonic."""
        if not self._rate:
            return 0
        name = blake2b(key.encode(), digest_size=8).digest()
        if self._file < 0:
            return self._take(name, now)
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            return self._take(name, now)
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _take(self, name: bytes, now: float) -> int:
        place, left, at = self._find(name, now)
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        allowed = left >= 1
        _SLOT.pack_into(self._slots, place, name, left - 1 if allowed else left, now)
        return 0 if allowed else max(1, ceil((1 - left) / self._rate))

    def _find(self, name: bytes, now: float) -> tuple[int, float, float]:
        """Where the key's bucket is, or the slot near it that was idle for longest."""
        first = int.from_bytes(name, "big") % _SLOTS
        idle, since = first * _SLOT.size, now
        for step in range(_PROBES):
            place = (first + step) % _SLOTS * _SLOT.size
            known, left, at = _SLOT.unpack_from(self._slots, place)
            if known == name:
                return place, left, at
            if at < since:
                idle, since = place, at
        return idle, self._burst, now
