"""What a repository's history says of the files and earlier pulls that a pull is about.

All of it is as of the pull's moment: a merged pull is often asked about in the light of a history
that goes on after it. What cannot be dated is then unknown (None), never told from later knowledge.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.history import RepositoryHistory
from pullrisk.features.identity import names_of
from pullrisk.features.paths import PathRecord, PathRecords
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import TEST, path_facts
from pullrisk.pulls.record import Pull

LATELY: Final = 45.0
"""Days over which the changes of a busy file are counted: about what its heat remembers."""
_LAST_PULLS: Final = 40


@dataclass(frozen=True, slots=True)
class Writer:
    """An earlier pull (or a direct push, below 0) that wrote lines; `days` is its age.

    `troubled` says whether it needed a fix or was reverted before the moment, None if unknown.
    """

    number: int
    days: float
    fixes: bool
    troubled: bool | None


@dataclass(frozen=True, slots=True)
class PathPast:
    """A file or directory as of the moment: `written` pulls added code in it.

    `repaired` of them needed a fix within 90 days, `reverted` were reverted or hot-fixed; None if
    the history goes on after the moment and does not tell when.
    """

    path: str
    written: int
    repaired: int | None
    reverted: int | None
    days_since_repair: float


class Past:
    """A history as of `moment` (epoch seconds); knows nothing if there is no history."""

    def __init__(self, history: RepositoryHistory | None, pull: Pull, moment: float) -> None:
        self._history = history
        self._moment = moment
        self._author = -1 if history is None else history._authors.id(names_of(pull))
        self.merged = 0 if history is None else self._rows_before()
        """Pulls merged before the moment."""

    def writer(self, number: int) -> Writer | None:
        """Who wrote lines under this number; None if the history does not know it."""
        if self._history is None or number == 0:
            return None
        log = self._history._log if number > 0 else self._history._pushes
        row = log.row(number)
        if row is None or log.merged_at[row] > self._moment:
            return None
        days = (self._moment - log.merged_at[row]) / DAY
        troubled = bool(log.repairs[row] or log.failed[row])
        return Writer(number, days, bool(log.fixes[row]), troubled if not self._late else None)

    def file(self, path: str) -> PathPast | None:
        """The record of a file; None if it is new, or was changed again after the moment."""
        return None if self._history is None else self._path(self._history._touched.files, path)

    def directory(self, path: str) -> PathPast | None:
        """The record of a directory; None if it is new, or was changed after the moment."""
        if self._history is None or self._late:
            return None
        return self._path(self._history._touched.directories, path)

    def changes_lately(self, path: str) -> int:
        """Pulls that changed the file in the last LATELY days."""
        rows = self._rows_of(path)
        if self._history is None or not len(rows):
            return 0
        merged_at = np.array(self._history._log.merged_at)[rows]
        return int((merged_at >= self._moment - LATELY * DAY).sum())

    def pulls_with_tests(self, path: str) -> tuple[int, int]:
        """Of the last pulls that changed the file: how many changed a test file too, and all."""
        rows = self._rows_of(path)[-_LAST_PULLS:]
        if self._history is None:
            return 0, 0
        log, paths = self._history._log, self._history._touched.files.paths
        tested = sum(
            any(path_facts(paths[file]).kind == TEST for file in log.files_of(row))
            for row in rows.tolist()
        )
        return tested, len(rows)

    def pulls_of(self, path: str) -> frozenset[int]:
        """Places in the log of the pulls before the moment that changed the file."""
        return frozenset(self._rows_of(path).tolist())

    def size_of(self, row: int) -> int:
        """Files of the pull at a place in the log, 0 for a sweep."""
        return 0 if self._history is None else len(self._history._log.files_of(row))

    def author_works_in(self, directory: str) -> bool:
        """Whether the author has worked in the directory before; True if nobody can tell."""
        if self._history is None or self._author < 0 or self._late:
            return True
        (record,) = self._history._touched.directories.find([directory])
        return record is not None and self._author in record.authors

    @property
    def _late(self) -> bool:
        """Whether the history goes on after the moment."""
        history = self._history
        as_of = None if history is None else history.as_of
        return as_of is not None and as_of.timestamp() > self._moment

    def _rows_before(self) -> int:
        merged_at = self._history._log.merged_at if self._history else ()
        return int((np.array(merged_at) < self._moment).sum())

    def _path(self, records: PathRecords, path: str) -> PathPast | None:
        (record,) = records.find([path])
        if record is None:
            return None
        now, late = self._moment, self._late and record.last > self._moment
        if late and record.last_repair > now:
            return None
        return PathPast(
            path,
            self._written(record) if late else record.written,
            record.repaired,
            record.failures if record.last_failure <= now else None,
            (now - record.last_repair) / DAY,
        )

    def _written(self, record: PathRecord) -> int:
        """Pulls that added code in a file before the moment."""
        rows = self._rows(record.id)
        return int(np.array(self._history._log.written)[rows].sum()) if self._history else 0

    def _rows_of(self, path: str) -> NDArray[np.intp]:
        """Rows of the pulls before the moment that changed a file."""
        (record,) = self._history._touched.files.find([path]) if self._history else (None,)
        return np.empty(0, np.intp) if record is None else self._rows(record.id)

    def _rows(self, number: int) -> NDArray[np.intp]:
        if self._history is None:
            return np.empty(0, np.intp)
        log = self._history._log
        places = np.flatnonzero(np.array(log.files) == number)
        rows = np.searchsorted(np.array(log.file_ends), places, side="right")
        return rows[np.array(log.merged_at)[rows] < self._moment]
