"""Where a repository is busy and where fixes were needed, from its history."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from pullrisk.brief.index import HistoryIndex
from pullrisk.features.history import RepositoryHistory
from pullrisk.pulls.file_kinds import SOURCE, path_facts

YEAR: Final = 365 * 86_400.0
"""Seconds that are looked back from the history's end."""
MOST: Final = 160
"""Files that are told, the busiest."""
_WEIGHT: Final = 8.0
"""Changes' worth of the repository's own share that a file begins with."""


class HotFile(msgspec.Struct, frozen=True):
    """A file: the pulls that changed it within a year, and how many of them a fix rewrote in it.

    `share` is the estimated share of its changes that need a fix: with few of them it stays near
    the repository's own.
    """

    path: str
    changes: int
    fixed: int
    share: float

    @property
    def group(self) -> str:
        """The first two directories of its path, "" at the root."""
        return "/".join(self.path.split("/")[:-1][:2])


class HotDirectory(msgspec.Struct, frozen=True):
    """A directory with its hot files and those below it."""

    path: str
    changes: int
    share: float
    files: list[HotFile]


def hot_files(history: RepositoryHistory, index: HistoryIndex) -> list[HotFile]:
    """The source files that pulls of the last year changed most often; those that are gone too."""
    if history.as_of is None:
        return []
    since = bisect_left(history.log.merged_at, history.as_of.timestamp() - YEAR)
    paths = history.touched.files.paths
    counted = ((file, _later(index.rows_of(file), since)) for file in range(len(paths)))
    changed = [
        (file, count) for file, count in counted if count and path_facts(paths[file]).kind == SOURCE
    ]
    fixed = {file: _fixed(history, index, file, since) for file, _ in changed}
    usual = sum(fixed.values()) / max(1, sum(count for _, count in changed))
    changed.sort(key=lambda pair: (-pair[1], paths[pair[0]]))
    return [
        HotFile(
            paths[file], count, fixed[file], (fixed[file] + _WEIGHT * usual) / (count + _WEIGHT)
        )
        for file, count in changed[:MOST]
    ]


def present(history: RepositoryHistory, files: Sequence[HotFile]) -> list[HotFile]:
    """Those that no later change removed or renamed. To be called where the history is scored."""
    records = history.touched.files.find([file.path for file in files])
    return [
        file
        for file, record in zip(files, records, strict=True)
        if record is not None and not record.gone
    ]


def by_directory(files: Iterable[HotFile]) -> list[HotDirectory]:
    """The files by directory, the busiest first."""
    files_of: defaultdict[str, list[HotFile]] = defaultdict(list)
    for file in files:
        files_of[file.group].append(file)
    directories = [HotDirectory(path, *_sums(inside), inside) for path, inside in files_of.items()]
    return sorted(directories, key=lambda directory: (-directory.changes, directory.path))


def _sums(files: Sequence[HotFile]) -> tuple[int, float]:
    changes = sum(file.changes for file in files)
    return changes, sum(file.share * file.changes for file in files) / max(1, changes)


def _later(rows: "Sequence[int]", since: int) -> int:
    return len(rows) - bisect_left(rows, since)


def _fixed(history: RepositoryHistory, index: HistoryIndex, file: int, since: int) -> int:
    """How many of the pulls that changed the file since then were repaired in it."""
    failures = history.failures
    rows = {failures.rows[event] for event in index.repairs_of(file)}
    return sum(row >= since for row in rows)
