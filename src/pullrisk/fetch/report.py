"""What a fetch from files or a clone did."""

from typing import Final

import msgspec

from pullrisk.pulls.store import Written

LISTED: Final = 100
"""The most bad lines that are listed; all are counted."""


class BadLine(msgspec.Struct, frozen=True):
    """A line that was skipped: its file, its number (from 1), and the reason."""

    source: str
    line: int
    reason: str


class FetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch: how many pulls were read, what the store did with them, lines skipped.

    `resumed` counts the lines (of a file) or commits (of a clone) that earlier runs have read.
    """

    read: int = 0
    written: Written = Written()
    resumed: int = 0
    bad: int = 0
    bad_lines: tuple[BadLine, ...] = ()

    def __add__(self, other: "FetchReport") -> "FetchReport":
        return FetchReport(
            read=self.read + other.read,
            written=self.written + other.written,
            resumed=self.resumed + other.resumed,
            bad=self.bad + other.bad,
            bad_lines=(self.bad_lines + other.bad_lines)[:LISTED],
        )
