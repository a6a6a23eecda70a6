"""An index of a repository's history by file: which pulls changed it, and what went wrong in it.

It is made once for a loaded history, when first asked for, and kept with it; where the history
has grown since, the index takes in what is new. Everything is asked as of a moment, which may lie
before the history's last event: a merged pull is told what was known when it was merged.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Final

from pullrisk.features.failures import REPAIR, WHOLE, push_row
from pullrisk.features.history import RepositoryHistory
from pullrisk.features.identity import names_of
from pullrisk.features.paths import PathRecord
from pullrisk.features.pulllog import PullLog
from pullrisk.pulls.record import Pull

_LOCK: Final = Lock()
_NO_ROWS: Final = array("I")


class HistoryIndex:
    """Rows of the log of merged pulls by file, and events of `history.failures` by row and file."""

    def __init__(self, history: RepositoryHistory) -> None:
        self.history = history
        self._rows: dict[int, array[int]] = {}
        self._failures_of_row: dict[int, list[int]] = {}
        self._repairs_of_file: dict[int, list[int]] = {}
        self.undone: set[int] = set()
        """Rows of the pulls that were reverted or hot-fixed at any time."""
        self._previous: dict[int, int] = {}
        self._rows_read = self._failures_read = self._renames_read = 0

    def catch_up(self) -> None:
        """Take in what the history has learnt since; takes no time if that is nothing."""
        history = self.history
        self._read_renames()
        log = history.log
        ends, files, rows = log.file_ends, log.files, self._rows
        start = ends[self._rows_read - 1] if self._rows_read else 0
        for row in range(self._rows_read, len(log)):
            end = ends[row]
            for file in files[start:end]:
                if file in rows:
                    rows[file].append(row)
                else:
                    rows[file] = self._inherited(file)
                    rows[file].append(row)
            start = end
        self._rows_read = len(log)
        self._read_failures()

    def _read_renames(self) -> None:
        renames = self.history.touched.renames
        for new, old in renames[self._renames_read :]:
            self._previous[new] = old
        self._renames_read = len(renames)

    def _inherited(self, file: int) -> "array[int]":
        """The rows of the file under its earlier name."""
        seen = {file}
        while file in self._previous and (file := self._previous[file]) not in seen:
            if file in self._rows:
                return self._rows[file][:]
            seen.add(file)
        return array("I")

    def _read_failures(self) -> None:
        failures = self.history.failures
        for event in range(self._failures_read, len(failures)):
            self._failures_of_row.setdefault(failures.rows[event], []).append(event)
            file = failures.files[event]
            if failures.kinds[event] != REPAIR:
                self.undone.add(failures.rows[event])
            if file != WHOLE:
                self._repairs_of_file.setdefault(file, []).append(event)
        self._failures_read = len(failures)

    def rows_of(self, file: int) -> "array[int]":
        """Rows of the pulls that changed a file (by number), in order; sweeps are left out."""
        return self._rows.get(file, _NO_ROWS)

    def failures_of(self, row: int) -> list[int]:
        """Events that befell the pull of a row."""
        return self._failures_of_row.get(row, [])

    def repairs_of(self, file: int) -> list[int]:
        """Repairs in a file, under its earlier names too, in order."""
        own = self._repairs_of_file.get(file, [])
        previous, seen = self._previous.get(file), {file}
        while previous is not None and previous not in seen:
            own = self._repairs_of_file.get(previous, []) + own
            seen.add(previous)
            previous = self._previous.get(previous)
        return own

    def record(self, file: int) -> PathRecord:
        """The record of the file with this number. Raises IndexError."""
        files = self.history.touched.files
        (record,) = files.find([files.paths[file]])
        if record is None:
            raise IndexError(f"no file is numbered {file}")
        return record


def index_of(history: RepositoryHistory) -> HistoryIndex:
    """The history's index, up to date. Threads may share it."""
    with _LOCK:
        index = history.derived
        if not isinstance(index, HistoryIndex):
            index = history.derived = HistoryIndex(history)
        index.catch_up()
        return index


@dataclass(frozen=True, slots=True)
class Failure:
    """The pull of a row was repaired (in a file) or reverted or hot-fixed by another, at `at`.

    `by` is the other's number, below 0 for a direct push; `file` is WHOLE if nobody knows it.
    """

    row: int
    kind: int
    by: int
    at: float
    file: int


class PullInIndex:
    """A pull beside the index of its repository, as of a moment.

    `files[i]` is the number of the pull's i-th file, -1 if no earlier change touched it, under its
    previous path neither; `author` the author's number, -1 if unknown; `rows` of the log and
    `push_rows` of the pushes were merged before.
    """

    def __init__(self, history: RepositoryHistory, pull: Pull, moment: datetime) -> None:
        self.index = index_of(history)
        self.history, self.pull, self.now = history, pull, moment.timestamp()
        self.log: PullLog = history.log
        self.rows = bisect_left(self.log.merged_at, self.now)
        self.push_rows = bisect_left(history.pushes.merged_at, self.now)
        self.author = history.authors.id(names_of(pull))
        records = history.touched.files
        found = records.find([file.path for file in pull.files or ()])
        self.files: list[int] = []
        for file, record in zip(pull.files or (), found, strict=True):
            if record is None and file.previous_path:
                (record,) = records.find([file.previous_path])
            self.files.append(-1 if record is None else record.id)

    def rows_of(self, file: int, *, most: int) -> "array[int]":
        """Rows of the last pulls, at most so many, that changed a file before the moment."""
        rows = self.index.rows_of(file)
        stop = bisect_left(rows, self.rows)
        return rows[max(0, stop - most) : stop]

    def failures_of(self, row: int) -> Iterator[Failure]:
        """What is known by now to have befallen the pull of a row."""
        return self._known(self.index.failures_of(row))

    def repairs_of(self, file: int, *, since: int | None = None) -> Iterator[Failure]:
        """The repairs in a file that are known by now, in order; of pulls from row `since` on."""
        events = self.index.repairs_of(file)
        if since is not None:
            rows = self.history.failures.rows
            events = [event for event in events if rows[event] >= since]
        return self._known(events)

    def _known(self, events: list[int]) -> Iterator[Failure]:
        failures = self.history.failures
        for event in events:
            by = failures.by[event]
            log, row, rows = self.log, by, self.rows
            if by < 0:
                log, row, rows = self.history.pushes, push_row(by), self.push_rows
            if row < rows:
                yield Failure(
                    failures.rows[event], failures.kinds[event], log.numbers[row],
                    log.merged_at[row], failures.files[event],
                )  # fmt: skip

    def writer(self, number: int) -> tuple[PullLog, int] | None:
        """The log and row of the pull or push that wrote lines; None if unknown or later."""
        log, rows = (self.log, self.rows) if number > 0 else (self.history.pushes, self.push_rows)
        row = log.row(number) if number else None
        return None if row is None or row >= rows else (log, row)
