"""Who wrote each line of a branch's files: a fold over the patches of a first-parent line.

A file is an array with one entry for each line, the position of its commit among all that were
folded. So a hunk is one assignment to a slice, and the hunks of a patch are taken from the last
to the first, because each is numbered by the lines before the patch. Runs of equal entries cost
little where it counts: in the saved state, which is compressed.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import compress
from typing import Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from pullrisk.fetch.git.patches import FilePatch, Hunk, Patch
from pullrisk.pulls.code import has_language
from pullrisk.pulls.lines import MAX_ORIGINS, ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull

MAX_LINES: Final = 4_000_000
"""Lines of a file that are followed; those of a longer one are of unknown origin."""
UNKNOWN: Final = 0
"""The origin of a line that nobody saw written."""


class FileOrigins(msgspec.Struct):
    """Whose code lines a patch removes from a file, and whose lines its insertions lie beside.

    Both count by the position of the origin in `LineHistory.numbers`.
    """

    path: str
    rewrites: Counter[int]
    neighbours: Counter[int]


class LineHistory:
    """The lines of a branch's files at a commit.

    `numbers` are the origins: the number of a pull or push, in the order in which they were
    folded; the first is UNKNOWN. `files` has for each line the position of its origin there; it
    has those of known languages, tests and vendored ones too, because files move.
    Histories that were forked of one another share `numbers`.
    """

    def __init__(
        self, numbers: "array[int] | None" = None, files: "dict[str, array[int]] | None" = None
    ) -> None:
        self.numbers: array[int] = array("q", [UNKNOWN]) if numbers is None else numbers
        self.files: dict[str, array[int]] = {} if files is None else files
        self._last = len(self.numbers) - 1
        self._own: set[str] = set()  # the files whose arrays no fork has

    def fork(self) -> "LineHistory":
        """The same lines, to move on apart from these."""
        other = LineHistory(self.numbers, dict(self.files))
        other._last = self._last
        self._own.clear()
        return other

    def observe(
        self, patch: Patch, number: int, merged: Sequence["LineHistory"] = ()
    ) -> list[FileOrigins]:
        """Move on by the patch of the branch's next commit, whose lines are of `number`.

        Lines that come from a history that it merged keep their origins, as far as those written
        there since the commit before can be told among the added ones. Returns the origins of what
        it touched, of the files whose lines are counted.
        """
        position, since = len(self.numbers), self._last
        self.numbers.append(number)
        self._last = position
        if patch.is_unknown:
            self.files.clear()
        files = [file for file in patch.files if has_language(file.name)]
        before = [self._lines_before(file) for file in files]
        touched = [
            _origins(file, lines)
            for file, lines in zip(files, before, strict=True)
            if file.counted and file.hunks
        ]
        for file in patch.files:
            if file.previous is not None and file.status != "copied":
                self.files.pop(file.previous, None)
        for file, lines in zip(files, before, strict=True):
            if file.path is not None and not file.binary:
                _splice(lines, file.hunks, position)
                for other in merged:
                    _inherit(lines, file.hunks, other.files.get(file.path), since)
                if len(lines) <= MAX_LINES:
                    self.files[file.path] = lines
                    self._own.add(file.path)
        return touched

    def _lines_before(self, file: FilePatch) -> "array[int]":
        """The lines that the hunks speak of, as many as they do; unknown ones are made up."""
        lines = self.files.get(file.previous) if file.previous is not None else None
        if lines is None:
            lines = array("I")
        elif file.status == "copied" or file.previous not in self._own:
            lines = lines[:]
        missing = min(_end(file.hunks[-1]), MAX_LINES) - len(lines) if file.hunks else 0
        if missing > 0:
            lines.extend(array("I", [0]) * missing)
        return lines

    def origins(
        self, touched: Sequence[FileOrigins], places: Mapping[str, int], counts: ChangedLines
    ) -> ChangedLines:
        """The counts with the origins of what was touched; `places` are the record's files."""
        rewrites = self._named((file.path, file.rewrites) for file in touched)
        neighbours = self._named((file.path, file.neighbours) for file in touched)
        return replace(
            counts,
            rewrites=_most(rewrites, places),
            neighbours=_most(neighbours, places),
        )

    def _named(self, counted: Iterable[tuple[str, Counter[int]]]) -> Iterator[tuple[str, int, int]]:
        """(path, number, lines) of each."""
        for path, counter in counted:
            by_number: Counter[int] = Counter()
            for position, lines in counter.items():
                by_number[self.numbers[position]] += lines
            for number, lines in by_number.items():
                yield path, number, lines


class CommitLines(msgspec.Struct, frozen=True):
    """What a commit did to lines, beside the history that knows their origins.

    `history` is None where nothing is known of the lines before.
    """

    history: LineHistory | None
    patch: Patch
    touched: list[FileOrigins] = []

    def add_to(self, pull: Pull) -> Pull:
        """The record of what the commit merged, with its lines and the code lines of its files."""
        if self.patch.is_unknown:
            return pull
        files = pull.files
        if files is not None:
            code = {file.name: _code_lines(file) for file in self.patch.files if file.counted}
            files = tuple(_with_code(file, code) for file in files)
        places = {file.path: place for place, file in enumerate(files or ())}
        lines = self.patch.counts
        if self.history is not None:
            lines = self.history.origins(self.touched, places, lines)
        return replace(pull, files=files, lines=lines)


def _code_lines(file: FilePatch) -> tuple[int, int]:
    added = sum(hunk.added_code for hunk in file.hunks)
    return added, sum(sum(hunk.code) for hunk in file.hunks)


def _with_code(file: ChangedFile, code: Mapping[str, tuple[int, int]]) -> ChangedFile:
    counts = code.get(file.path)
    if counts is None:
        return file
    return replace(file, code_added=counts[0], code_removed=counts[1])


def _most(origins: Iterable[tuple[str, int, int]], places: Mapping[str, int]) -> tuple[Origin, ...]:
    """The origins with most lines; of equal ones the smallest number and first file."""
    named = [Origin(number, lines, places.get(path, -1)) for path, number, lines in origins]
    named.sort(key=lambda origin: (-origin.lines, origin.number, origin.file))
    return tuple(named[:MAX_ORIGINS])


def _origins(file: FilePatch, lines: "array[int]") -> FileOrigins:
    rewrites: Counter[int] = Counter()
    neighbours: Counter[int] = Counter()
    for hunk in file.hunks:
        if hunk.removed:
            start = hunk.old_start - 1
            rewrites.update(compress(lines[start : start + hunk.removed], hunk.code))
        elif file.previous is not None:
            # The lines before and after: the slice starts at 0 at the top of the file.
            neighbours.update(set(lines[max(hunk.old_start - 1, 0) : hunk.old_start + 1]))
    return FileOrigins(file.name, rewrites, neighbours)


def _splice(lines: "array[int]", hunks: Sequence[Hunk], position: int) -> None:
    entry = array("I", [position])
    for hunk in reversed(hunks):
        start = hunk.old_start - 1 if hunk.removed else hunk.old_start
        lines[start : start + hunk.removed] = entry * hunk.added


def _inherit(
    lines: "array[int]", hunks: Sequence[Hunk], merged: "array[int] | None", since: int
) -> None:
    """Give added lines the origins that they have in the merged file.

    They are in the same order there: all of them if they are as many, else runs of equal length.
    """
    if merged is None:
        return
    entries = np.frombuffer(merged, dtype=np.uint32)
    places = np.flatnonzero(entries > since)
    if not len(places):
        return
    into = [
        place
        for hunk in hunks
        for place in range(hunk.new_start - 1, hunk.new_start - 1 + hunk.added)
    ]
    if len(places) == len(into):
        pairs: Iterable[tuple[int, int]] = zip(into, entries[places].tolist(), strict=True)
    else:
        pairs = _in_like_runs(hunks, entries, places)
    for place, entry in pairs:
        lines[place] = entry


def _in_like_runs(
    hunks: Sequence[Hunk], entries: "NDArray[np.uint32]", places: "NDArray[np.intp]"
) -> Iterator[tuple[int, int]]:
    """(line, origin) of the hunks as long as a run of lines at the places, both in order."""
    runs = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1)
    adding = [hunk for hunk in hunks if hunk.added]
    lengths = [hunk.added for hunk in adding]
    matcher = SequenceMatcher(None, lengths, [len(run) for run in runs], autojunk=False)
    for first, other, count in matcher.get_matching_blocks():
        for hunk, run in zip(
            adding[first : first + count], runs[other : other + count], strict=True
        ):
            yield from enumerate(entries[run].tolist(), hunk.new_start - 1)


def _end(hunk: Hunk) -> int:
    """The last old line that the hunk speaks of."""
    return hunk.old_start - 1 + hunk.removed if hunk.removed else hunk.old_start
