"""One pull request as the feature families see it at a moment: derived once, shared by all."""

import re
from datetime import datetime
from math import log1p
from operator import add, attrgetter
from typing import Final
from zlib import crc32

from pullrisk.features.pathrecords import PathRecord
from pullrisk.features.paths import facts_of
from pullrisk.pulls.record import Pull

WORD_BUCKETS: Final = 4_096
"""Title words are hashed into so many buckets (a power of two); histories count by bucket."""
_WORD: Final = re.compile(rb"[a-z][a-z0-9]+")
_MOST_WORDS: Final = 64
# In the hottest place of the fold, map with a getter takes half the time of a comprehension.
_PATH: Final = attrgetter("path")
_DIRECTORY: Final = attrgetter("directory")
_EXTENSION: Final = attrgetter("extension")


class View:
    """Facts of a pull that need no history, plus the repository's state that families share.

    `now` is the moment of the question in epoch seconds; `added`, `deleted` and `churns`
    (their sums) are lines per file;
    `directories` are the distinct ones, `words` the distinct title words and `buckets` their
    distinct hashes, all in order of appearance.
    """

    __slots__ = (
        "added", "additions", "author", "buckets", "changed_files", "churn", "churns", "deleted",
        "deletions", "directories", "directory_records", "extensions", "facts", "file_records",
        "files", "log_churn", "log_directories", "log_files", "merged", "now", "paths", "prior",
        "pull", "words",
    )  # fmt: skip

    def __init__(
        self, pull: Pull, as_of: datetime, *, author: int, prior: float, merged: int
    ) -> None:
        self.pull = pull
        self.now = as_of.timestamp()
        self.author = author
        """Number of the author in this history, or -1 where unknown."""
        self.prior = prior
        """The repository's smoothed failure rate: what any other rate is shrunk towards."""
        self.merged = merged
        """Pulls merged in the repository so far."""
        files = self.files = pull.files or ()
        self.added = [file.additions or 0 for file in files]
        self.deleted = [file.deletions or 0 for file in files]
        self.churns = [*map(add, self.added, self.deleted)]
        self.paths = [*map(_PATH, files)]
        self.file_records: list[PathRecord | None] = []
        self.directory_records: list[PathRecord | None] = []
        """What is known of each of `files` and `directories`, once somebody has looked."""
        facts = self.facts = facts_of(self.paths)
        self.directories = [*dict.fromkeys(map(_DIRECTORY, facts))]
        self.extensions = [*dict.fromkeys(map(_EXTENSION, facts))]
        self.additions = pull.additions or 0
        self.deletions = pull.deletions or 0
        self.churn = self.additions + self.deletions
        self.changed_files = len(files) if pull.changed_files is None else pull.changed_files
        self.log_churn = log1p(self.churn)
        self.log_files = log1p(self.changed_files)
        self.log_directories = log1p(len(self.directories))
        words = _WORD.findall(pull.title.lower().encode("utf-8", "replace"))[:_MOST_WORDS]
        self.words = [*dict.fromkeys(words)]
        self.buckets = [
            *dict.fromkeys([crc & (WORD_BUCKETS - 1) for crc in map(crc32, self.words)])
        ]
