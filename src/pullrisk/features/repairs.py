"""Features of how often what was merged here needed a fix soon: the repository's, the author's,
the files' and the directories' own record.

A pull counts as repaired if a fix rewrote code lines of it within 90 days; only pulls that add
code, as far as their lines are known, are counted among those that could have been.
"""

from collections.abc import Sequence
from typing import Final

from pullrisk.features.author import AuthorRecord
from pullrisk.features.decay import days, smoothed
from pullrisk.features.paths import LONG_AGO, PathRecord
from pullrisk.features.pull_context import PullContext
from pullrisk.features.repository import RepositoryState
from pullrisk.features.schema import NEVER, UNKNOWN, Feature, family

FEATURES: Final[tuple[Feature, ...]] = family(
    "repairs",
    ("repository_repair_rate", "share", "linear",
     "share of the pulls here with code that needed a fix within 90 days"),
    ("repository_recent_repair_rate", "share", "linear",
     "share of the pulls with code here in about half a year that needed a fix"),
    ("author_repairs", "pulls", "log", "pulls of this author that needed a fix within 90 days"),
    ("author_repair_rate", "share", "linear",
     "estimated share of this author's pulls with code that need a fix"),
    ("file_repair_rate_max", "share", "linear",
     "estimated share of pulls that need a fix, for the worst of the files"),
    ("file_repair_rate_mean", "share", "linear",
     "estimated share of pulls that need a fix, for the files on average"),
    ("days_since_file_repair", "days", "log", "days since code in one of the files was last fixed"),
    ("directory_repair_rate_max", "share", "linear",
     "estimated share of pulls that need a fix, for the worst of the directories"),
    ("directory_repair_rate_mean", "share", "linear",
     "estimated share of pulls that need a fix, for the directories on average"),
)  # fmt: skip

_UNKNOWN: Final = tuple([UNKNOWN] * len(FEATURES))
_UNKNOWN_FILES: Final = tuple([UNKNOWN] * 5)
_WEIGHT: Final = 5.0
"""How many pulls' worth of the repository's own rate a path's rate starts with."""


def features(
    context: PullContext, overall: RepositoryState, author: AuthorRecord
) -> tuple[float, ...]:
    """The values of FEATURES, in their order; all unknown where no pull's lines ever were."""
    if not overall.written:
        return _UNKNOWN
    prior = overall.repair_prior
    if context.files_known:
        of_files = _rates(context.known_files, prior)
        of_directories = _rates(context.directory_records, prior)
        waited = days(context.now - of_files[2], NEVER)
        of_paths: tuple[float, ...] = (
            of_files[0], of_files[1], waited, of_directories[0], of_directories[1],
        )  # fmt: skip
    else:
        of_paths = _UNKNOWN_FILES
    return (
        prior,
        overall.recent_repair_rate(context.now),
        author.repaired,
        smoothed(author.repaired, author.written, prior, 10.0),
        *of_paths,
    )


def _rates(records: Sequence[PathRecord | None], prior: float) -> tuple[float, float, float]:
    """The highest and the mean rate of repaired pulls, and the time of the last repair."""
    worst, total, last = prior, 0.0, LONG_AGO
    weighted = _WEIGHT * prior
    for record in records:
        if record is None:
            total += prior
            continue
        rate = (record.repaired + weighted) / (record.written + _WEIGHT)
        if rate > 1.0:  # a path under whose earlier name the repaired pulls were counted
            rate = 1.0
        total += rate
        if rate > worst:
            worst = rate
        if record.last_repair > last:
            last = record.last_repair
    return worst, total / len(records) if records else prior, last
