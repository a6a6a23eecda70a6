"""Counts of what one change does to lines of code."""

from pullrisk.pulls.code import BLANK, CODE, COMMENT, CodeCounter, Language
from pullrisk.pulls.lines import ChangedLines


class LineCounter:
    """Adds up the hunks of one change: a side at a time, in the form of `code.line_runs`."""

    def __init__(self) -> None:
        self._added, self._removed = CodeCounter(), CodeCounter()
        self._hunks = [0, 0, 0]

    def count_hunk(self, *, removed: int, added: int) -> None:
        """One hunk removes and adds so many lines."""
        self._hunks[2 if removed and added else 1 if removed else 0] += 1

    def remove(self, text: bytes, language: Language) -> bytes:
        """Count removed lines: returns a byte a line, 1 for code."""
        return self._removed.add(text, language)

    def add(self, text: bytes, language: Language) -> int:
        """Count added lines: returns how many are code."""
        return self._added.add(text, language).count(1)

    def counts(self) -> ChangedLines:
        """The counts so far, without origins."""
        added, removed = self._added, self._removed
        return ChangedLines(
            code_added=added.lines[CODE],
            code_removed=removed.lines[CODE],
            comments_added=added.lines[COMMENT],
            comments_removed=removed.lines[COMMENT],
            blanks_added=added.lines[BLANK],
            blanks_removed=removed.lines[BLANK],
            hunks_added=self._hunks[0],
            hunks_removed=self._hunks[1],
            hunks_changed=self._hunks[2],
            tokens_added=added.tokens(),
            tokens_removed=removed.tokens(),
        )
