"""What a repository's history says of the files and earlier pulls that a pull is about.

All of it is as of the pull's moment: a merged pull is often asked about in the light of a history
that goes on after it. What cannot be dated is then unknown (None), never told from later knowledge.
"""

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pullrisk.brief.index import index_of
from pullrisk.features.failures import REPAIR, push_row
from pullrisk.features.history import RepositoryHistory
from pullrisk.features.identity import names_of
from pullrisk.features.paths import PathRecord
from pullrisk.features.pulllog import PullLog
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import TEST, path_facts
from pullrisk.pulls.record import Pull

LATELY: Final = 45.0
"""Days over which the changes of a busy file are counted: about what its heat remembers."""
LAST: Final = 20
"""Changes of a file whose fate is told."""
FORGOTTEN_DAYS: Final = 730.0
"""Days after which what went wrong is told no more."""
_SOON: Final = 365 * DAY
_EVER: Final = 10_000


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


@dataclass(frozen=True, slots=True)
class Writer:
    """An earlier pull (or a direct push, below 0) that wrote lines; `days` is its age.

    `trouble` is the last that befell it before the moment, `delay` days after its merge.
    """

    number: int
    days: float
    fixes: bool
    trouble: Failure | None
    delay: float = 0.0

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
    """A repository's history beside a pull of it, as of a moment.

    `files[i]` is the number of the pull's i-th file, -1 if no earlier change touched it, under its
    previous path neither; `author` the author's number, -1 if unknown; `rows` of the log and
    `push_rows` of the pushes were merged before.
    """

    def __init__(self, history: RepositoryHistory, pull: Pull, moment: datetime) -> None:
        self.index = index_of(history)
        self.history, self.pull = history, pull
        self.moment, self.now = moment, moment.timestamp()
        self.log: PullLog = history.log
        self.rows = bisect_left(self.log.merged_at, self.now)
        self.push_rows = bisect_left(history.pushes.merged_at, self.now)
        self.author = history.authors.id(names_of(pull))
        records = history.touched.files
        by_path = records.find([file.path for file in pull.files or ()])
        self.files: list[int] = []
        for file, record in zip(pull.files or (), by_path, strict=True):
            if record is None and file.previous_path:
                (record,) = records.find([file.previous_path])
            self.files.append(-1 if record is None else record.id)
        paths = [file.path for file in pull.files or ()]
        self._numbers = dict(zip(paths, self.files, strict=True))

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

    def written_in(self, number: int) -> tuple[PullLog, int] | None:
        """The log and row of the pull or push that wrote lines; None if unknown or later."""
        log, rows = (self.log, self.rows) if number > 0 else (self.history.pushes, self.push_rows)
        row = log.row(number) if number else None
        return None if row is None or row >= rows else (log, row)

    def writer(self, number: int, *, path: str | None = None) -> Writer | None:
        """Who wrote lines under this number; None if the history does not know it.

        With the `path` of one of the pull's files, only repairs in it, and within a year of the
        merge, are trouble: a fix of lines that held for long says little of the rest.
        """
        place = self.written_in(number)
        if place is None:
            return None
        log, row = place
        events = list(self.failures_of(row if number > 0 else push_row(row)))
        if path is not None:
            own = set(self.repairs_of(self._numbers.get(path, -1)))
            soon = log.merged_at[row] + _SOON
            events = [e for e in events if e.kind != REPAIR or (e in own and e.at <= soon)]
        trouble = max(events, key=lambda each: each.at, default=None)
        merged_at = log.merged_at[row]
        return Writer(
            number,
            (self.now - merged_at) / DAY,
            bool(log.fixes[row]),
            trouble,
            (trouble.at - merged_at) / DAY if trouble else 0.0,
        )

    def days_since(self, failure: Failure) -> float:
        """Days from what befell an earlier pull to the moment."""
        return (self.now - failure.at) / DAY

    def remembers(self, failure: Failure | None) -> bool:
        """Whether it befell an earlier pull lately enough to be told."""
        return failure is not None and self.days_since(failure) < FORGOTTEN_DAYS

    def file(self, path: str) -> FilePast | None:
        """The fate of the last changes of one of the pull's files; None if it is new."""
        rows = self.pulls_of(path, LAST)
        if not rows:
            return None
        repairs = {
            each.row: each
            for each in self.repairs_of(self._numbers[path], since=rows[0])
            if each.row in rows and self.remembers(each)
        }
        reverts = {
            each.row: each
            for row in self.index.undone.intersection(rows)
            for each in self.failures_of(row)
            if each.kind != REPAIR and self.remembers(each)
        }
        return FilePast(path, len(rows), len(repairs), len(reverts), _last(repairs), _last(reverts))

    def busiest(self) -> str | None:
        """The pull's file that most earlier pulls changed; None if all are new."""
        changes = {path: len(self.pulls_of(path)) for path in self._numbers}
        path = max(changes, key=changes.__getitem__, default=None)
        return path if path and changes[path] else None

    def changes_lately(self, path: str) -> int:
        """Pulls that changed one of the pull's files in the last LATELY days."""
        first = bisect_left(self.log.merged_at, self.now - LATELY * DAY)
        rows = self.pulls_of(path)
        return len(rows) - bisect_left(rows, first)

    def pulls_with_tests(self, path: str) -> tuple[int, int, str | None]:
        """Of the last pulls that changed the file: how many changed a test file too, and all.

        The third is the deepest directory where most of these did, None if there is none.
        """
        rows = self.pulls_of(path, LAST)
        tests = [folders for row in rows if (folders := self._test_folders(row))]
        counts = Counter(folder for folders in tests for folder in folders)
        most = [folder for folder, count in counts.items() if folder and 2 * count > len(tests)]
        deepest = max(most, key=lambda each: (each.count("/"), each), default=None)
        return len(tests), len(rows), deepest

    def pulls_of(self, path: str, most: int = _EVER) -> list[int]:
        """Rows of the last pulls before the moment that changed one of the pull's files."""
        number = self._numbers.get(path, -1)
        return [] if number < 0 else self.rows_of(number, most=most).tolist()

    def size_of(self, row: int) -> int:
        """Files of the pull of a row, 0 for a sweep."""
        return len(self.log.files_of(row))

    def directory(self, path: str) -> PathRecord | None:
        """The record of a directory; None if it is new, or the history goes on after the moment."""
        if self._goes_on:
            return None
        (record,) = self.history.touched.directories.find([path])
        return record

    def author_works_in(self, path: str) -> bool:
        """Whether the author has worked in the directory before; True if nobody can tell."""
        record = self.directory(path)
        if record is None or self.author < 0:
            return True
        return self.author in record.authors

    @property
    def _goes_on(self) -> bool:
        """Whether the history goes on after the moment."""
        as_of = self.history.as_of
        return as_of is not None and as_of.timestamp() >= self.now

    def _test_folders(self, row: int) -> set[str]:
        """The directories, at any depth and with a slash, with a test that the pull changed.

        The top folder is the empty one; none if it changed no test.
        """
        paths = self.history.touched.files.paths
        folders = set[str]()
        for file in self.log.files_of(row):
            if path_facts(paths[file]).kind == TEST:
                parts = paths[file].split("/")[:-1]
                folders.update(f"{'/'.join(parts[:n])}/" for n in range(1, len(parts) + 1))
                folders.add("")
        return folders


def _last(failures: dict[int, Failure]) -> Failure | None:
    return max(failures.values(), key=lambda each: each.at, default=None)
