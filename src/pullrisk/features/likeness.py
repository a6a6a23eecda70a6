"""Features of how like a pull is to those merged lately: one of a series, a second attempt.

Likeness of two titles is the Jaccard index of their words' hashes, or 0 where a title of three or
more words shares but one with the other. Nothing here is saved: it is a window on the log of
merged pulls, from which a restored history makes it anew.
"""

from collections import Counter
from itertools import chain
from typing import Final

from pullrisk.features.pulllog import PullLog
from pullrisk.features.schema import family
from pullrisk.features.view import View

FEATURES: Final = family(
    "likeness",
    ("title_like_own", "share", "linear",
     "likeness of the title to that of this author's own among the last 400 pulls"),
    ("title_like_recent", "share", "linear",
     "likeness of the title to that of one of the last 400 pulls"),
    ("titles_like_recent", "pulls", "log",
     "how many of the last 400 pulls have a title like this (likenesses squared, summed)"),
    ("hours_since_like_title", "hours", "log",
     "hours since the pull with the most alike title was merged"),
    ("like_title_files", "share", "linear",
     "share of the files in common with the pull with the most alike title"),
)  # fmt: skip

_RECENT: Final = 400
_YEAR: Final = 8_760.0
"""Hours since a pull that there is not, and the most that are told."""


class Likeness:
    """The title words of the last 400 merged pulls: rows of the log by word, words by row."""

    def __init__(self, log: PullLog) -> None:
        self._log = log
        self._sizes: dict[int, int] = {}
        self._with: dict[int, list[int]] = {}
        for row in range(max(0, len(log) - _RECENT), len(log)):
            self._remember(row, log.words_of(row).tolist())

    def features(self, view: View) -> tuple[float, ...]:
        """The values of FEATURES, in their order; the view's files have been looked up."""
        count, author = len(view.buckets), view.author
        sizes, authors = self._sizes, self._log.authors
        best = crowd = own = 0.0
        like = -1
        for row, same in self._alike(view.buckets):
            likeness = same / (count + sizes[row] - same)
            crowd += likeness * likeness
            if likeness > best or (likeness == best and row > like):
                best, like = likeness, row
            if likeness > own and author >= 0 and authors[row] == author:
                own = likeness
        if like < 0:
            return 0.0, 0.0, 0.0, _YEAR, 0.0
        hours = (view.now - self._log.merged_at[like]) / 3_600.0
        hours = 0.0 if hours < 0.0 else hours if hours < _YEAR else _YEAR
        return own, best, crowd, hours, self._common_files(view, like)

    def observe(self, buckets: list[int]) -> None:
        """A pull with these title words was merged, and is about to be logged."""
        row = len(self._log)
        self._remember(row, buckets)
        gone = row - _RECENT
        if gone < 0:
            return
        del self._sizes[gone]
        for bucket in self._log.words_of(gone).tolist():
            rows = self._with[bucket]
            del rows[0]
            if not rows:
                del self._with[bucket]

    def _alike(self, buckets: list[int]) -> list[tuple[int, int]]:
        """Recent pulls by row, with the number of title words that they share."""
        found = [rows for rows in map(self._with.get, buckets) if rows]
        shared = Counter(chain.from_iterable(found))
        least = 2 if len(buckets) > 2 else 1
        return [(row, same) for row, same in shared.items() if same >= least]

    def _common_files(self, view: View, row: int) -> float:
        files = self._log.files_of(row).tolist()
        numbers = {record.id for record in view.file_records if record is not None}
        same = len(numbers.intersection(files))
        return same / (len(view.files) + len(files) - same) if same else 0.0

    def _remember(self, row: int, buckets: list[int]) -> None:
        self._sizes[row] = len(buckets)
        for bucket in buckets:
            self._with.setdefault(bucket, []).append(row)
