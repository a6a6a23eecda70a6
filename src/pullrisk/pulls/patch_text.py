"""Counts of code in the patches that GitHub's API sends with a pull request's files."""

import re
from collections.abc import Sequence
from typing import Final

from pullrisk.pulls.code import language_of
from pullrisk.pulls.line_counts import LineCounter
from pullrisk.pulls.lines import ChangedLines
from pullrisk.pulls.rest_shapes import RestFile

# Neighbouring lines that go and come, between the lines that stay.
_CHANGE: Final = re.compile(
    rb"^(?=[-+])((?:-[^\n]*\n)*+)(?:\\[^\n]*\n)?((?:\+[^\n]*\n)*+)", re.MULTILINE
)

CodeLines = tuple[int, int] | tuple[None, None]
"""Code lines that a file gains and loses, if they are known."""


def count_patches(
    files: Sequence[RestFile], *, complete: bool
) -> tuple[list[CodeLines], ChangedLines | None]:
    """The code lines of each file, and the counts of all; origins are not in a patch.

    The counts are None if no file has a patch, if the list is not `complete`, or if a source
    file lacks its patch or has a part of it (GitHub leaves out or cuts large ones).
    """
    counter = LineCounter()
    by_file = [_count(file, counter) for file in files]
    known = complete and any(file.patch is not None for file in files)
    known = known and not any(
        lines == (None, None) and _needs_patch(file)
        for file, lines in zip(files, by_file, strict=True)
    )
    return by_file, counter.counts() if known else None


def _needs_patch(file: RestFile) -> bool:
    """Whether the file has changed lines of a known language."""
    changed = (file.additions, file.deletions) != (0, 0)
    return changed and language_of(file.filename) is not None


def _count(file: RestFile, counter: LineCounter) -> CodeLines:
    language = language_of(file.filename)
    if language is None or file.patch is None:
        return None, None
    text = file.patch.encode(errors="replace") + b"\n"
    changes = [match.groups() for match in _CHANGE.finditer(text)]
    lines = tuple(sum(change[side].count(b"\n") for change in changes) for side in (1, 0))
    if lines != (_or(file.additions, lines[0]), _or(file.deletions, lines[1])):
        return None, None
    code_added = code_removed = 0
    for removed, added in changes:
        counter.count_hunk(removed=len(removed), added=len(added))
        code_removed += counter.remove(removed, language).count(1)
        code_added += counter.add(added, language)
    return code_added, code_removed


def _or(count: int | None, other: int) -> int:
    return other if count is None else count
