"""Which pull or push repaired, reverted or hot-fixed which earlier one, and in which files."""

from __future__ import annotations

from array import array
from typing import Final

REPAIR: Final = 0
REVERT: Final = 1
HOTFIX: Final = 2
WHOLE: Final = -1
"""Instead of a file's number: what happened is about the whole pull."""


def push_row(row: int) -> int:
    """A row of the log of pushes, as told among rows of the log of pulls; its own inverse."""
    return -1 - row


class Failures:
    """What happened, in order, as columns.

    `rows` are the rows of the earlier changes in the history's log of pulls, `by` those of the
    changes that told it; below 0 they are `push_row`s of the log of pushes. `files` are the
    numbers of the files that a repair rewrites, or WHOLE, and `kinds` REPAIR, REVERT or HOTFIX.
    """

    def __init__(self, saved: list[bytes] | None = None) -> None:
        self.rows = array("i")
        self.by = array("i")
        self.files = array("i")
        self.kinds = array("B")
        if saved is not None:
            for column, data in zip(self._columns(), saved, strict=True):
                column.frombytes(data)

    def __len__(self) -> int:
        return len(self.rows)

    def add(self, row: int, by: int, kind: int, file: int = WHOLE) -> None:
        """Remember one event."""
        self.rows.append(row)
        self.by.append(by)
        self.files.append(file)
        self.kinds.append(kind)

    def add_repair(self, row: int, by: int, files: list[int]) -> None:
        """Remember a repair in these files; in the whole if nobody knows the files."""
        for file in files or [WHOLE]:
            self.add(row, by, REPAIR, file)

    def save(self) -> list[bytes]:
        """The columns as bytes, in this machine's (little-endian) order."""
        return [column.tobytes() for column in self._columns()]

    def _columns(self) -> tuple[array[int], ...]:
        return self.rows, self.by, self.files, self.kinds
