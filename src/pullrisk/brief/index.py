"""An index of a repository's history by file: which pulls changed it, and what went wrong in it.

It is made once for a loaded history, when first asked for, and kept with it; where the history
has grown since, the index takes in what is new. `brief.past` asks it as of a moment.
"""

from array import array
from threading import Lock
from typing import Final

from pullrisk.features.failures import REPAIR, WHOLE
from pullrisk.features.history import RepositoryHistory
from pullrisk.features.paths import PathRecord

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
