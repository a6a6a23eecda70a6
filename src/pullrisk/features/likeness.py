"""Features of how like a pull is to those merged lately: one of a series, a second attempt.

Likeness of two titles is the Jaccard index of their words' hashes, or 0 where a title of three or
more words shares but one with the other. Nothing here is saved: it is a window on the log of
merged pulls, from which a restored history makes it anew.
"""

from typing import Final

from librt.vecs import append, vec
from mypy_extensions import i64

from pullrisk.features.pull_context import WORD_BUCKETS, PullContext
from pullrisk.features.pulllog import PullLog
from pullrisk.features.schema import UNKNOWN, family

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
_ROOM: Final = 4_096
"""Words that the rings have room for at first: a power of two, as every later room."""
_YEAR: Final = 8_760.0
"""Hours since a pull that there is not, and the most that are told."""


class Likeness:
    """The title words of the last 400 merged pulls, as one chain of occurrences for each word.

    Occurrences are numbered as they come; those from `_first` on are of recent pulls, and lie in
    rings. A pull has the place that its row of the log has modulo 400.
    """

    def __init__(self, log: PullLog) -> None:
        self._log = log
        self._fill(0)

    def features(self, context: PullContext) -> tuple[float, ...]:
        """The values of FEATURES, in their order."""
        log, author, sizes = self._log, context.author, self._sizes
        authors = log.authors
        count: i64 = len(context.buckets)
        merged: i64 = len(log)
        best = crowd = own = 0.0
        like: i64 = -1
        shared = vec[i64]([0] * _RECENT)
        for place in self._alike(context.buckets, shared):
            same = shared[place]
            likeness = float(same) / float(count + sizes[place] - same)
            crowd += likeness * likeness
            if likeness < best and likeness <= own:
                continue
            row = merged - 1 - (merged - 1 - place) % _RECENT
            if likeness > best or (likeness == best and row > like):
                best, like = likeness, row
            if likeness > own and author >= 0 and authors[row] == author:
                own = likeness
        if like < 0:
            return 0.0, 0.0, 0.0, _YEAR, 0.0 if context.files_known else UNKNOWN
        hours = (context.now - log.merged_at[like]) / 3_600.0
        hours = 0.0 if hours < 0.0 else hours if hours < _YEAR else _YEAR
        return own, best, crowd, hours, self._common_files(context, like)

    def observe(self, buckets: list[int]) -> None:
        """A pull with these title words was merged, and is about to be logged."""
        if self._next - self._first + len(buckets) > len(self._before):
            self._fill(len(buckets))
        self._remember(len(self._log), buckets)

    def _alike(self, buckets: list[int], shared: vec[i64]) -> vec[i64]:
        """Count in `shared` the words that recent pulls share; the places of those alike."""
        first, before, places = self._first, self._before, self._places
        mask: i64 = len(before) - 1
        least: i64 = 2 if len(buckets) > 2 else 1
        alike = vec[i64]()
        for bucket in buckets:
            at = self._latest[bucket]
            while at >= first:
                place = places[at & mask]
                same = shared[place] + 1
                shared[place] = same
                if same == least:
                    alike = append(alike, place)
                at = before[at & mask]
        return alike

    def _common_files(self, context: PullContext, row: int) -> float:
        if not context.files_known:
            return UNKNOWN
        files = self._log.files_of(row).tolist()
        numbers = {record.id for record in context.file_records if record is not None}
        same = len(numbers.intersection(files))
        return same / (len(context.files) + len(files) - same) if same else 0.0

    def _fill(self, more: int) -> None:
        """Take in the recent pulls of the log, with room in the rings for `more` words."""
        log, room = self._log, _ROOM
        recent = [log.words_of(row).tolist() for row in range(max(0, len(log) - _RECENT), len(log))]
        while room < sum(map(len, recent)) + more:
            room *= 2
        self._sizes = vec[i64]([0] * _RECENT)
        self._latest = vec[i64]([-1] * WORD_BUCKETS)
        """A word's latest occurrence, or -1."""
        self._before = vec[i64]([0] * room)
        """The occurrence of the same word before this one."""
        self._places = vec[i64]([0] * room)
        self._first: i64 = 0
        self._next: i64 = 0
        for row, words in enumerate(recent, len(log) - len(recent)):
            self._remember(row, words)

    def _remember(self, row: int, buckets: list[int]) -> None:
        place: i64 = row % _RECENT
        latest, before, places, at = self._latest, self._before, self._places, self._next
        mask: i64 = len(before) - 1
        self._first += self._sizes[place]  # those of the pull that had this place before
        self._sizes[place] = len(buckets)
        for bucket in buckets:
            before[at & mask] = latest[bucket]
            places[at & mask] = place
            latest[bucket] = at
            at += 1
        self._next = at
