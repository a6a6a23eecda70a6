"""One pull request as the feature families see it at a moment: derived once, shared by all."""

from datetime import datetime
from math import log1p
from typing import Final, TypeVar
from zlib import crc32

from pullrisk.features.identity import names_of
from pullrisk.features.paths import PathRecord
from pullrisk.features.schema import UNKNOWN
from pullrisk.pulls.file_kinds import path_facts
from pullrisk.pulls.record import Pull

WORD_BUCKETS: Final = 4_096
"""Title words are hashed into so many buckets (a power of two); histories count by bucket."""
_LETTERS: Final = b"abcdefghijklmnopqrstuvwxyz"
_DIGITS: Final = b"0123456789"
_BLANKED: Final = bytes(each if each in _LETTERS + _DIGITS else 32 for each in range(256))
_MOST_WORDS: Final = 64
_FEW: Final = 16
T = TypeVar("T")


class PullContext:
    """Facts of a pull that need no history, plus the repository's state that families share.

    `now` is the moment of the question in epoch seconds; `added`, `deleted` and `churns`
    (their sums) are lines per file; `additions`, `deletions`, their sum `churn`, `changed_files`
    and the logarithms are NaN where the source does not know them;
    `directories` are the distinct ones, `words` the distinct title words and `buckets` their
    distinct hashes, all in order of appearance.
    """

    __slots__ = (
        "added", "additions", "adds_code", "author", "buckets", "changed_files", "churn", "churns",
        "deleted", "deletions", "directories", "directory_records", "extensions", "facts",
        "file_records", "files", "files_known", "known_files", "lines_known", "log_churn",
        "log_directories", "log_files", "merged", "names", "now", "prior", "pull",
        "repairable", "unmerged", "words",
    )  # fmt: skip

    def __init__(
        self,
        pull: Pull,
        as_of: datetime,
        records: list[PathRecord | None],
        *,
        prior: float,
        merged: int,
        unmerged: int,
    ) -> None:
        self.pull = pull
        self.now = as_of.timestamp()
        self.names = names_of(pull)
        """What the source calls the author."""
        self.author = -1
        """Number of the author in this history, or -1 where never seen."""
        self.prior = prior
        """The repository's smoothed failure rate: what any other rate is shrunk towards."""
        self.merged = merged
        """Pulls merged in the repository so far."""
        self.unmerged = unmerged
        """Pulls closed without a merge so far: 0 where the source, such as a clone, has none."""
        self.files_known = pull.files is not None
        files = self.files = pull.files or ()
        self.added = [file.additions or 0 for file in files]
        self.deleted = [file.deletions or 0 for file in files]
        self.churns = [
            added + deleted for added, deleted in zip(self.added, self.deleted, strict=True)
        ]
        self.file_records = records
        """What is known of each of `files`."""
        self.known_files: list[PathRecord | None] = []
        """The same under their previous paths too, once somebody has looked."""
        self.directory_records: list[PathRecord | None] = []
        """What is known of each of `directories`, once somebody has looked."""
        facts = self.facts = [
            path_facts(file.path) if record is None else record.facts
            for file, record in zip(files, records, strict=True)
        ]
        self.directories = distinct([each.directory for each in facts])
        self.extensions = distinct([each.extension for each in facts])
        self.additions = _number(pull.additions)
        self.deletions = _number(pull.deletions)
        self.churn = self.additions + self.deletions
        self.adds_code = pull.lines is not None and pull.lines.code_added > 0
        """Whether it is known to add code."""
        self.repairable = (
            self.adds_code and pull.lines is not None and pull.lines.rewrites is not None
        )
        """Whether a repair of that code would be seen: of patches alone nobody tells whose lines
        later ones remove, so that no repair would look like none."""
        self.lines_known = pull.additions is not None and pull.deletions is not None
        self.changed_files = _number(pull.changed_files)
        if pull.changed_files is None and self.files_known:
            self.changed_files = float(len(files))
        self.log_churn = log1p(self.churn)
        self.log_files = log1p(self.changed_files)
        self.log_directories = log1p(len(self.directories)) if self.files_known else UNKNOWN
        self.words = distinct(_words(pull.title))
        self.buckets = _buckets(self.words)


def title_buckets(title: str) -> list[int]:
    """The hash buckets of a title's words, each once."""
    return _buckets(distinct(_words(title)))


def _buckets(words: list[bytes]) -> list[int]:
    return distinct([crc32(word) & (WORD_BUCKETS - 1) for word in words])


def distinct(values: list[T]) -> list[T]:
    """The values without those that came before, in order."""
    if len(values) > _FEW:
        return [*dict.fromkeys(values)]
    seen: list[T] = []
    for value in values:  # a look through a few costs less than a table of them
        if value not in seen:
            seen.append(value)
    return seen


def _number(count: int | None) -> float:
    return UNKNOWN if count is None else float(count)


def _words(title: str) -> list[bytes]:
    """What matches [a-z][a-z0-9]+ in the lower-cased title, which takes a third of the time so."""
    text = title.lower().encode("utf-8", "replace").translate(_BLANKED)
    words = []
    for run in text.split():
        word = run.lstrip(_DIGITS) if run[0] < 97 else run
        if len(word) > 1:
            words.append(word)
    return words[:_MOST_WORDS]
