"""What a history remembers of each merged pull, to find its author and files when it fails, and
whose lines a later pull rewrites.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import Final

from pullrisk.features.pull_context import PullContext

TITLES: Final = 10_000
"""Pulls whose titles are remembered: the latest."""
_LONGEST_TITLE: Final = 160
_REMEMBERED_FILES: Final = 300
"""A pull over more files than this is a sweep; its failure says little about any of them."""


class PullLog:
    """Merged pulls in order, as columns: number, author, time, files and title words by number.

    `authors`, `files` and `words` hold the numbers that the other parts of a history gave;
    `written` is 1 for a pull whose code would be seen to be repaired, `fixes` for one that adds
    code and says that it fixes something, `failed` for one that was reverted or hot-fixed, and
    `repairs` counts the fixes that rewrote its code lines.
    """

    def __init__(self) -> None:
        self.numbers = array("q")
        self.authors = array("i")
        self.merged_at = array("d")
        self.files = array("I")
        self.file_ends = array("I")
        self.words = array("H")
        self.word_ends = array("I")
        self.written = array("B")
        self.fixes = array("B")
        self.failed = array("B")
        self.repairs = array("I")
        self._titles: deque[str] = deque(maxlen=TITLES)
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def append(
        self, context: PullContext, *, files: list[int], words: list[int], fixes: bool
    ) -> None:
        """Remember one merged pull; a later one of the same number takes its place."""
        self._rows[context.pull.number] = len(self.numbers)
        self.numbers.append(context.pull.number)
        self.authors.append(context.author)
        self.merged_at.append(context.now)
        if len(files) <= _REMEMBERED_FILES:
            self.files.extend(files)
        self.file_ends.append(len(self.files))
        self.words.extend(words)
        self.word_ends.append(len(self.words))
        self.written.append(context.repairable)
        self.fixes.append(fixes)
        self.failed.append(0)
        self.repairs.append(0)
        self._titles.append(context.pull.title[:_LONGEST_TITLE])

    def replace_author(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        authors = self.authors
        for row in range(len(authors)):
            if authors[row] == gone:
                authors[row] = kept

    def row(self, number: int) -> int | None:
        """The row of a merged pull, or None."""
        return self._rows.get(number)

    def files_of(self, row: int) -> array[int]:
        """Numbers of the pull's files; empty for a sweep."""
        return self.files[self.file_ends[row - 1] if row else 0 : self.file_ends[row]]

    def words_of(self, row: int) -> array[int]:
        """Hash buckets of the pull's title words."""
        return self.words[self.word_ends[row - 1] if row else 0 : self.word_ends[row]]

    def title_of(self, row: int) -> str | None:
        """The pull's title, cut to 160 characters; None if it is too long ago."""
        place = row - len(self.numbers) + len(self._titles)
        return self._titles[place] if place >= 0 else None

    def saved_titles(self) -> list[str]:
        """The titles that are remembered, in order, as `load` takes them."""
        return list(self._titles)

    def save(self) -> list[bytes]:
        """The columns as bytes, in this machine's (little-endian) order."""
        return [column.tobytes() for column in self._columns()]

    @classmethod
    def load(cls, columns: list[bytes], titles: list[str] | None = None) -> PullLog:
        """The log that `save` wrote; raises ValueError if the columns do not fit."""
        log = cls()
        log._titles.extend(titles or ())
        for column, data in zip(log._columns(), columns, strict=True):
            column.frombytes(data)
        log._rows = {number: row for row, number in enumerate(log.numbers)}
        return log

    def _columns(self) -> tuple[array[int] | array[float], ...]:
        return (
            self.numbers, self.authors, self.merged_at, self.files, self.file_ends,
            self.words, self.word_ends, self.written, self.fixes, self.failed, self.repairs,
        )  # fmt: skip
