"""How many pulls to ask for at once: as many as this repository's GitHub computes in time."""

from typing import Final

import msgspec

FIRST: Final = 25
"""Pulls of the first page: with their files, about 50 run into GitHub's ten seconds."""
MAXIMUM: Final = 100
"""GitHub's own limit."""
FAST, SLOW = 4.0, 8.0
"""Seconds: below FAST a page may grow, above SLOW the next one shrinks before it fails."""
STREAK: Final = 2
"""Fast pages in a row after which the size grows."""
PARDON: Final = 50
"""Good pages at the ceiling after which it rises again by one."""


class Paging(msgspec.Struct):
    """Page size of one repository; kept in its checkpoint, so that it is learned once.

    `good` is the largest size that worked; after a failure above it, it is the ceiling.
    """

    size: int = FIRST
    ceiling: int = MAXIMUM
    good: int = 0
    streak: int = 0

    def succeeded(self, seconds: float) -> None:
        """A page of this size came after `seconds`."""
        self.good = max(self.good, self.size)
        self.streak += 1
        if seconds > SLOW:
            self.size = max(self.size * 3 // 4, 1)
            self.streak = 0
        elif self.size < self.ceiling:
            if seconds < FAST and self.streak >= STREAK:
                self.size = min(self.size + max(self.size // 4, 1), self.ceiling)
                self.streak = 0
        elif self.ceiling < MAXIMUM and self.streak >= PARDON:
            self.ceiling += 1
            self.streak = 0

    def failed(self) -> None:
        """A page of this size was too large: halve it, and grow no further than what worked."""
        half = max(self.size // 2, 1)
        if self.good >= self.size:
            self.good = half  # what worked once does no more
            self.ceiling = max(self.size - 1, 1)
        else:
            self.ceiling = max(self.good, half)
        self.size = half
        self.streak = 0
