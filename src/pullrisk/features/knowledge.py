"""Which features need a fact that not every source knows.

A squash commit names no fork; a clone knows neither when a pull was opened nor how it was
described, nor any that was closed without a merge; a partial clone lacks line counts; only a clone
tells who wrote the lines that a change rewrites, and so what was repaired; the author of a pull
from GitHub may be nobody that a clone's history knows. Features that need such a fact
are unknown (`schema.UNKNOWN`) where it is: never 0, which would say "no".
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.features import content, lines, repairs

_ORIGINS: Final = tuple(feature.name for feature in lines.FEATURES)

FACTS: Final[dict[str, tuple[str, ...]]] = {
    "opening": ("hour_sine", "hour_cosine", "opened_friday", "opened_weekend"),
    "description": ("body_length",),
    "fork": ("from_fork",),
    "commits": ("commits",),
    "closed": ("repository_unmerged_share", "author_unmerged"),
    "lines": (
        "additions", "deletions", "churn_per_file", "largest_file_churn", "churn_entropy",
        "deleted_share", "test_churn_share", "source_lines_added", "source_lines_deleted",
        "test_lines_deleted", "churn_score", "churn_percentile", "author_churn_score",
        "test_lines_added", "test_growth",
    ),
    "count": ("changed_files", "churn_per_file", "files_score"),
    "files": (
        "largest_file_churn", "churn_entropy", "files_added", "files_removed", "files_renamed",
        "source_files", "test_files", "docs_files", "config_files", "ci_files",
        "dependency_files", "vendored_files", "test_churn_share", "source_lines_added",
        "source_lines_deleted", "test_lines_deleted", "source_without_tests", "directories",
        "top_directories", "directories_score", "new_files_share", "file_touches_max",
        "file_authors_max", "author_known_files", "files_new_to_author", "author_touch_share",
        "author_main_share", "ownership", "same_author_again", "file_idle_min", "file_idle_mean",
        "file_age_mean", "file_heat_max", "scatter", "failed_files_share",
        "file_failure_rate_max", "file_failure_rate_mean", "days_since_file_failure",
        "new_directories_share", "directory_authors_max", "author_directory_share",
        "author_known_directories", "directory_heat_max", "directory_failure_rate_max",
        "directory_failure_rate_mean", "days_since_directory_failure",
        "extension_failure_rate_max", "like_title_files", "code_files", "largest_file_code",
        "test_lines_added", "test_growth", "file_repair_rate_max", "file_repair_rate_mean",
        "days_since_file_repair", "directory_repair_rate_max", "directory_repair_rate_mean",
    ),
    "code": (*(feature.name for feature in content.FEATURES), *_ORIGINS),
    "origins": _ORIGINS,
    "repairs": tuple(feature.name for feature in repairs.FEATURES),
    "author": (
        "author_merged", "author_unmerged", "author_failures", "author_failure_rate",
        "days_since_author_failure", "author_tenure", "days_since_author_seen", "author_recent",
        "author_share", "author_churn_score", "author_new", "author_known_files",
        "files_new_to_author", "author_touch_share", "author_main_share", "same_author_again",
        "author_directory_share", "author_known_directories", "title_like_own",
        "rewritten_own", "rewritten_own_share", "beside_own_share", "author_repairs",
        "author_repair_rate",
    ),
}  # fmt: skip
"""By fact: the features that are unknown without it."""


def needing(facts: Sequence[str], names: Sequence[str]) -> NDArray[np.bool_]:
    """Which of the features `names` [d] are unknown without one of these facts, [d]."""
    missing = {name for fact in facts for name in FACTS[fact]}
    return np.array([name in missing for name in names], np.bool_)


_RAREST: Final = (
    "origins", "code", "repairs", "closed", "fork", "description", "opening", "commits", "author",
    "lines",
)  # fmt: skip
"""Other facts, those that are most often unknown first."""


def known_together(names: Sequence[str]) -> NDArray[np.intp]:
    """A number for each feature, [d]: the same for those that become unknown together.

    0 for what is nearly always known, 1 for what needs line counts, 2 for the author's record, and
    so on: features of several facts go with the one that is most often unknown.
    """
    numbers = {fact: number for number, fact in enumerate(reversed(_RAREST), start=1)}
    rarest = [next((fact for fact in _RAREST if name in FACTS[fact]), None) for name in names]
    return np.array([numbers[fact] if fact else 0 for fact in rarest], np.intp)
