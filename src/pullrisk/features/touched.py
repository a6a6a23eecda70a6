"""Features of the record of the files and directories that a change touches."""

from collections.abc import Iterable
from math import exp
from typing import Final

from pullrisk.features.decay import days, smoothed
from pullrisk.features.paths import (
    COOLING,
    LONG_AGO,
    PUSH,
    PathRecord,
    PathRecords,
    SavedPaths,
    touch,
)
from pullrisk.features.pull_context import PullContext, distinct
from pullrisk.features.schema import DAY, NEVER, UNKNOWN, family
from pullrisk.pulls.file_kinds import OTHER, PathFacts
from pullrisk.pulls.record import ChangedFile, Pull

FEATURES: Final = family(
    "files",
    ("new_files_share", "share", "linear", "share of the files that no earlier change touched"),
    ("file_touches_max", "pulls", "log", "earlier pulls that touched the busiest of the files"),
    ("file_authors_max", "authors", "log", "authors of the most contested of the files"),
    ("author_known_files", "share", "linear",
     "share of the files that this author has touched before"),
    ("files_new_to_author", "files", "log", "files of others that this author never touched"),
    ("author_touch_share", "share", "linear",
     "share of the files' earlier changes that this author made"),
    ("author_main_share", "share", "linear",
     "share of the files of which this author is the main author"),
    ("ownership", "share", "linear",
     "share of the files' earlier changes that each one's main author made"),
    ("same_author_again", "share", "linear",
     "share of the files that this author was the last to change"),
    ("file_idle_min", "days", "log", "days since the freshest of the files last changed"),
    ("file_idle_mean", "days", "log", "days since the files last changed, on average"),
    ("file_age_mean", "days", "log", "days since the files first appeared, on average"),
    ("file_heat_max", "pulls", "log", "pulls that touched the hottest file in about a month"),
    ("scatter", "share", "linear",
     "how little the files belong together: last changed by as many pulls as there are files"),
    ("failed_files_share", "share", "linear",
     "share of the files that were part of a pull that failed"),
    ("file_failure_rate_max", "share", "linear",
     "estimated share of pulls that fail, for the worst of the files"),
    ("file_failure_rate_mean", "share", "linear",
     "estimated share of pulls that fail, for the files on average"),
    ("days_since_file_failure", "days", "log",
     "days since a pull over one of the files last failed"),
) + family(
    "directories",
    ("new_directories_share", "share", "linear",
     "share of the directories that no earlier change touched"),
    ("directory_authors_max", "authors", "log", "authors of the most contested directory"),
    ("author_directory_share", "share", "linear",
     "share of the directories' earlier pulls that are this author's"),
    ("author_known_directories", "share", "linear",
     "share of the directories that this author has worked in before"),
    ("directory_heat_max", "pulls", "log", "pulls in the hottest directory in about a month"),
    ("directory_failure_rate_max", "share", "linear",
     "estimated share of pulls that fail, for the worst of the directories"),
    ("directory_failure_rate_mean", "share", "linear",
     "estimated share of pulls that fail, for the directories on average"),
    ("days_since_directory_failure", "days", "log",
     "days since a pull in one of the directories last failed"),
    ("extension_failure_rate_max", "share", "linear",
     "estimated share of pulls that fail, for the worst of the file types"),
)  # fmt: skip

_NO_FILES: Final = tuple([0.0] * 9 + [NEVER, NEVER] + [0.0] * 4)
_UNKNOWN: Final = tuple([UNKNOWN] * 27)
_NO_FACTS: Final = PathFacts(OTHER, "", "", "")
_WEIGHT: Final = 10.0
"""How many pulls' worth of the repository's own rate a path's failure rate starts with."""

Saved = tuple[SavedPaths, SavedPaths, dict[str, tuple[int, int]], list[tuple[int, int]]]


class Touched:
    """Every file and directory that a merged pull ever changed, and the kinds of file.

    `extensions` holds (pulls, failures) by file extension, `renames` the numbers of files that
    took over another's record, each with that of the other: (new, old), in order.
    """

    def __init__(self, saved: Saved | None = None) -> None:
        files, directories, self.extensions, self.renames = saved or (None, None, {}, [])
        self.files = PathRecords(files)
        self.directories = PathRecords(directories, facts=_no_facts)

    def save(self) -> Saved:
        """The state, as the constructor takes it back."""
        return self.files.save(), self.directories.save(), self.extensions, self.renames

    def known(self, pull: Pull) -> list[PathRecord | None]:
        """What is known of each of the pull's files."""
        return self.files.find([file.path for file in pull.files or ()])

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        if not context.files_known:
            return _UNKNOWN
        context.directory_records = self.directories.find(context.directories)
        context.known_files = [
            self._previous(file) if record is None else record
            for file, record in zip(context.files, context.file_records, strict=True)
        ]
        return (*self._files(context), *self._directories(context), self._extensions(context))

    def observe(self, context: PullContext, pull: int) -> list[int]:
        """A pull was merged; it is number `pull` in this history. The numbers of its files."""
        records, directories = self._records(context)
        now, author = context.now, context.author
        code = context.repairable
        touch(records, now=now, author=author, pull=pull, code=code)
        touch(directories, now=now, author=author, pull=pull, code=code)
        for extension in context.extensions:
            seen, failed = self.extensions.get(extension, (0, 0))
            self.extensions[extension] = (seen + 1, failed)
        return [record.id for record in records]

    def observe_push(self, context: PullContext) -> None:
        """A direct push changed its files: who wrote them and when, but no pull more."""
        for records in self._records(context):
            touch(records, now=context.now, author=context.author, pull=PUSH, code=False)

    def _records(self, context: PullContext) -> tuple[list[PathRecord], list[PathRecord]]:
        """The records of the files and of the directories, made where they are missing."""
        now = context.now
        records = [
            record or self._first_sight(file, facts, now)
            for file, facts, record in zip(
                context.files, context.facts, context.file_records, strict=True
            )
        ]
        for file, record in zip(context.files, records, strict=True):
            record.gone = file.status == "removed"
            if file.status == "renamed" and (previous := self._previous(file)) is not None:
                previous.gone = True
        around = context.directory_records or self.directories.find(context.directories)
        directories = [
            directory or self.directories.add(name, _NO_FACTS, now)
            for name, directory in zip(context.directories, around, strict=True)
        ]
        return records, directories

    def replace_author(self, gone: int, kept: int) -> None:
        """The author numbered `gone` turned out to be the one numbered `kept`."""
        self.files.replace_author(gone, kept)
        self.directories.replace_author(gone, kept)

    def fail(self, files: Iterable[int], now: float) -> None:
        """The merged pull that changed these files (by number) turned out to be trouble."""
        paths = [self.files.paths[number] for number in files]
        touched = [record for record in self.files.find(paths) if record is not None]
        directories = distinct([record.facts.directory for record in touched])
        for record in touched:
            record.fail(now)
        for directory in self.directories.find(directories):
            if directory is not None:
                directory.fail(now)
        for extension in {record.facts.extension for record in touched}:
            seen, failed = self.extensions[extension]
            self.extensions[extension] = (seen, failed + 1)

    def repair(self, files: Iterable[int], context: PullContext, *, first: bool) -> list[int]:
        """The pull rewrites, in its files at these places, code of an earlier one to fix it.

        `first` says that nothing of the earlier pull was fixed before. Returns the numbers of
        the files that are known.
        """
        directories, numbers = set[str](), []
        for place in files:
            record = context.file_records[place] or self._previous(context.files[place])
            if record is not None:
                record.repaired += first
                record.last_repair = context.now
                numbers.append(record.id)
                directories.add(record.facts.directory)
        for directory in self.directories.find(list(directories)):
            if directory is not None:
                directory.repaired += first
                directory.last_repair = context.now
        return numbers

    def _first_sight(self, file: ChangedFile, facts: PathFacts, now: float) -> PathRecord:
        """A new record; a renamed file inherits what was known under its previous path."""
        (listed,) = self.files.find([file.path])  # the pull may list a file twice
        if listed is not None:
            return listed
        previous = self._previous(file)
        record = self.files.add(file.path, facts, now, like=previous)
        if previous is not None:
            self.renames.append((record.id, previous.id))
        return record

    def _previous(self, file: ChangedFile) -> PathRecord | None:
        return self.files.find([file.previous_path])[0] if file.previous_path else None

    def _files(self, context: PullContext) -> tuple[float, ...]:  # noqa: C901 - one pass, the hot loop
        count = len(context.files)
        if not count:
            return (*_NO_FILES, context.prior, context.prior, NEVER)
        now, author, prior = context.now, context.author, context.prior
        weighted = _WEIGHT * prior
        known = most = contested = mine = main = again = failed = 0
        own = owned = idle = age = hottest = rates = 0.0
        worst = prior
        idle_min, last_failure = NEVER * DAY, LONG_AGO
        last_pulls = set()
        for record in context.known_files:
            if record is None:
                continue
            known += 1
            times = record.touches
            pulls = times - record.pushes
            if pulls > most:
                most = pulls
            authors = record.authors
            if len(authors) > contested:
                contested = len(authors)
            if author in authors:
                mine += 1
                share = authors[author]
                own += share / times
                main += share == record.top
                again += record.last_author == author
            owned += record.top / times
            last_pulls.add(record.last_pull)
            waited = now - record.last
            idle += waited
            if waited < idle_min:
                idle_min = waited
            age += now - record.first
            warmth = record.heat * exp(waited * COOLING) if waited > 0.0 else record.heat
            if warmth > hottest:
                hottest = warmth
            rate = (record.failures + weighted) / (pulls + _WEIGHT)
            rates += rate
            if record.failures:
                failed += 1
                if rate > worst:
                    worst = rate
                if record.last_failure > last_failure:
                    last_failure = record.last_failure
        several = known or 1
        return (
            (count - known) / count,
            most,
            contested,
            mine / count,
            known - mine,
            own / several,
            main / several,
            owned / several,
            again / several,
            days(idle_min, NEVER),
            days(idle / known, NEVER) if known else NEVER,
            days(age / several, NEVER),
            hottest,
            len(last_pulls) / several,
            failed / count,
            worst,
            (rates + prior * (count - known)) / count,
            days(now - last_failure, NEVER),
        )

    def _directories(self, context: PullContext) -> tuple[float, ...]:
        now, author, prior = context.now, context.author, context.prior
        count = len(context.directories)
        known = contested = mine = 0
        own = hottest = rates = 0.0
        worst, last_failure, weighted = prior, LONG_AGO, _WEIGHT * prior
        for record in context.directory_records:
            if record is None:
                continue
            known += 1
            authors = record.authors
            if len(authors) > contested:
                contested = len(authors)
            if author in authors:
                mine += 1
                own += authors[author] / record.touches
            waited = now - record.last
            warmth = record.heat * exp(waited * COOLING) if waited > 0.0 else record.heat
            if warmth > hottest:
                hottest = warmth
            rate = (record.failures + weighted) / (record.touches - record.pushes + _WEIGHT)
            rates += rate
            if rate > worst:
                worst = rate
            if record.last_failure > last_failure:
                last_failure = record.last_failure
        several = count or 1
        return (
            (count - known) / several,
            contested,
            own / several,
            mine / several,
            hottest,
            worst,
            (rates + prior * (count - known)) / count if count else prior,
            days(now - last_failure, NEVER),
        )

    def _extensions(self, context: PullContext) -> float:
        worst = context.prior
        for extension in context.extensions:
            seen, failed = self.extensions.get(extension, (0, 0))
            if failed:
                worst = max(worst, smoothed(failed, seen, context.prior, 50.0))
        return worst


def _no_facts(_path: str) -> PathFacts:
    """Directories have no facts of their own, only a record."""
    return _NO_FACTS
