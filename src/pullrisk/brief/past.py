"""What a repository's history says of the files and earlier pulls that a pull is about.

All of it is as of the pull's moment: a merged pull is often asked about in the light of a history
that goes on after it. What cannot be dated is then unknown (None), never told from later knowledge.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from pullrisk.brief.index import Failure, PullInIndex
from pullrisk.features.failures import REPAIR, push_row
from pullrisk.features.paths import PathRecord
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import TEST, path_facts

LATELY: Final = 45.0
"""Days over which the changes of a busy file are counted: about what its heat remembers."""
LAST: Final = 20
"""Changes of a file whose fate is told."""
FORGOTTEN_DAYS: Final = 730.0
"""Days after which what went wrong is told no more."""
_EVER: Final = 10_000


@dataclass(frozen=True, slots=True)
class Writer:
    """An earlier pull (or a direct push, below 0) that wrote lines; `days` is its age.

    `trouble` is the last that befell it before the moment.
    """

    number: int
    days: float
    fixes: bool
    trouble: Failure | None

    @property
    def pull(self) -> int | None:
        """The pull's number; None of a direct push."""
        return self.number if self.number > 0 else None

    @property
    def name(self) -> str:
        """`#12`, or `a direct push`."""
        return f"#{self.number}" if self.number > 0 else "a direct push"


@dataclass(frozen=True, slots=True)
class FilePast:
    """A file: of its last `changes` pulls, how many needed a fix in it, or were taken back.

    `last_repair` and `last_revert` tell of the latest of them.
    """

    path: str
    changes: int
    repaired: int
    reverted: int
    last_repair: Failure | None
    last_revert: Failure | None


class Past:
    """A repository's history beside a pull; knows nothing if there is no history."""

    def __init__(self, seen: PullInIndex | None) -> None:
        self._seen = seen
        files = seen.pull.files if seen else None
        paths = [file.path for file in files or ()]
        self._numbers = dict(zip(paths, seen.files if seen else (), strict=True))
        self.merged = seen.rows if seen else 0
        """Pulls merged before the moment."""

    def writer(self, number: int) -> Writer | None:
        """Who wrote lines under this number; None if the history does not know it."""
        place = self._seen.writer(number) if self._seen else None
        if self._seen is None or place is None:
            return None
        log, row = place
        events = self._seen.failures_of(row if number > 0 else push_row(row))
        trouble = max(events, key=lambda each: each.at, default=None)
        days = (self._seen.now - log.merged_at[row]) / DAY
        return Writer(number, days, bool(log.fixes[row]), trouble)

    def days_since(self, failure: Failure) -> float:
        """Days from what befell an earlier pull to the moment."""
        return (self._seen.now - failure.at) / DAY if self._seen else 0.0

    def remembers(self, failure: Failure | None) -> bool:
        """Whether it befell an earlier pull lately enough to be told."""
        return failure is not None and self.days_since(failure) < FORGOTTEN_DAYS

    def file(self, path: str) -> FilePast | None:
        """The fate of the last changes of one of the pull's files; None if it is new."""
        rows = self._rows_of(path, LAST)
        if self._seen is None or not rows:
            return None
        repairs = {
            each.row: each
            for each in self._seen.repairs_of(self._numbers[path], since=rows[0])
            if each.row in rows and self.remembers(each)
        }
        reverts = {
            each.row: each
            for row in self._seen.index.undone.intersection(rows)
            for each in self._seen.failures_of(row)
            if each.kind != REPAIR and self.remembers(each)
        }
        return FilePast(path, len(rows), len(repairs), len(reverts), _last(repairs), _last(reverts))

    def busiest(self) -> str | None:
        """The pull's file that most earlier pulls changed; None if all are new."""
        changes = {path: len(self._rows_of(path, _EVER)) for path in self._numbers}
        path = max(changes, key=changes.__getitem__, default=None)
        return path if path and changes[path] else None

    def changes_lately(self, path: str) -> int:
        """Pulls that changed one of the pull's files in the last LATELY days."""
        if self._seen is None:
            return 0
        since, merged_at = self._seen.now - LATELY * DAY, self._seen.log.merged_at
        return sum(merged_at[row] >= since for row in self._rows_of(path, _EVER))

    def pulls_with_tests(self, path: str) -> tuple[int, int, str | None]:
        """Of the last pulls that changed the file: how many changed a test file too, and all.

        The third is the deepest directory where most of these did, None if there is none.
        """
        rows = self._rows_of(path, LAST)
        tests = [folders for row in rows if (folders := self._test_folders(row))]
        counts = Counter(folder for folders in tests for folder in folders)
        most = [folder for folder, count in counts.items() if folder and 2 * count > len(tests)]
        deepest = max(most, key=lambda each: (each.count("/"), each), default=None)
        return len(tests), len(rows), deepest

    def pulls_of(self, path: str) -> list[int]:
        """Rows of the pulls before the moment that changed one of the pull's files."""
        return self._rows_of(path, _EVER)

    def size_of(self, row: int) -> int:
        """Files of the pull of a row, 0 for a sweep."""
        return len(self._seen.log.files_of(row)) if self._seen else 0

    def directory(self, path: str) -> PathRecord | None:
        """The record of a directory; None if it is new, or the history goes on after the moment."""
        if self._seen is None or self._goes_on:
            return None
        (record,) = self._seen.history.touched.directories.find([path])
        return record

    def author_works_in(self, path: str) -> bool:
        """Whether the author has worked in the directory before; True if nobody can tell."""
        record = self.directory(path)
        if self._seen is None or record is None or self._seen.author < 0:
            return True
        return self._seen.author in record.authors

    @property
    def _goes_on(self) -> bool:
        """Whether the history goes on after the moment."""
        as_of = self._seen.history.as_of if self._seen else None
        return self._seen is not None and as_of is not None and as_of.timestamp() >= self._seen.now

    def _rows_of(self, path: str, most: int) -> list[int]:
        number = self._numbers.get(path, -1)
        if self._seen is None or number < 0:
            return []
        return self._seen.rows_of(number, most=most).tolist()

    def _test_folders(self, row: int) -> set[str]:
        """The directories, at any depth and with a slash, with a test that the pull changed.

        The top folder is the empty one; none if it changed no test.
        """
        if self._seen is None:
            return set()
        paths = self._seen.history.touched.files.paths
        folders = set[str]()
        for file in self._seen.log.files_of(row):
            if path_facts(paths[file]).kind == TEST:
                parts = paths[file].split("/")[:-1]
                folders.update(f"{'/'.join(parts[:n])}/" for n in range(1, len(parts) + 1))
                folders.add("")
        return folders


def _last(failures: dict[int, Failure]) -> Failure | None:
    return max(failures.values(), key=lambda each: each.at, default=None)
