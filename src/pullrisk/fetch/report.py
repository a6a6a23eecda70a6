"""What a fetch from files or a clone did."""

from collections import Counter
from typing import Final

import msgspec

from pullrisk.pulls.store import Written

LISTED: Final = 100
"""The most bad lines, or pulls with a wrong clock, that are listed; all are counted."""


class BadLine(msgspec.Struct, frozen=True):
    """A line that was skipped: its file, its number (from 1), and the reason."""

    source: str
    line: int
    reason: str


class FetchReport(msgspec.Struct, frozen=True, kw_only=True):
    """One fetch: how many pulls were read, what the store did with them, lines skipped.

    `resumed` counts the lines (of a file) or commits (of a clone) that earlier runs have read.
    Of a clone, `branch` was read; `passed` counts by reason its commits that name a pull and
    merged none, `unnumbered` those of the branch that name none, `held` the pulls whose clock
    was wrong by more than a day, `unreadable` the files without line counts because of damage;
    `lines` says why who wrote the lines is unknown, or was read again.
    """

    read: int = 0
    written: Written = Written()
    resumed: int = 0
    bad: int = 0
    bad_lines: tuple[BadLine, ...] = ()
    branch: str | None = None
    passed: dict[str, int] = {}
    unnumbered: int = 0
    held: int = 0
    unreadable: int = 0
    lines: str | None = None

    def __add__(self, other: "FetchReport") -> "FetchReport":
        return FetchReport(
            read=self.read + other.read,
            written=self.written + other.written,
            resumed=self.resumed + other.resumed,
            bad=self.bad + other.bad,
            bad_lines=(self.bad_lines + other.bad_lines)[:LISTED],
            branch=self.branch or other.branch,
            passed=dict(Counter(self.passed) + Counter(other.passed)),
            unnumbered=self.unnumbered + other.unnumbered,
            held=self.held + other.held,
            unreadable=self.unreadable + other.unreadable,
            lines=self.lines or other.lines,
        )
