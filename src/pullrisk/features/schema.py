"""What a feature is, how its values read, and the schema that tables and models must share."""

from collections.abc import Iterable
from hashlib import blake2b
from math import nan
from typing import Final, Literal

import msgspec

Scale = Literal["log", "linear", "flag"]

DAY = 86_400.0
"""Seconds of a day."""
NEVER = 3_650.0
"""Days since something that never happened, and the most that any wait is reported as."""
UNKNOWN = nan
"""The value of a feature that the pull's source cannot know: never 0, which says "no"."""


class Feature(msgspec.Struct, frozen=True):
    """One column of the feature table.

    `sentence` explains the value to a reviewer, `unit` is what it counts, and `scale` says how
    a network should read it: `log` (heavy-tailed, ≥ 0), `linear`, or `flag` (0 or 1).
    """

    name: str
    family: str
    unit: str
    sentence: str
    scale: Scale = "linear"


def family(name: str, *rows: tuple[str, str, Scale, str]) -> tuple[Feature, ...]:
    """The features of one family from (name, unit, scale, sentence) rows."""
    return tuple(
        Feature(name=column, family=name, unit=unit, sentence=sentence, scale=scale)
        for column, unit, scale, sentence in rows
    )


def schema_hash(features: Iterable[Feature], version: int) -> str:
    """16 hex digits that change with any name, order or scale, and with `version`.

    Raise `version` where a value's meaning changes under the same name.
    """
    text = "\n".join(f"{feature.name}:{feature.scale}" for feature in features)
    return blake2b(f"{version}\n{text}".encode(), digest_size=8).hexdigest()


TOPICS: Final[tuple[tuple[str, ...], ...]] = (
    ("files_new_to_author", "author_known_files", "author_touch_share", "author_main_share",
     "same_author_again", "author_known_directories", "author_directory_share"),
    ("author_new", "author_merged", "author_tenure", "days_since_author_seen", "author_recent",
     "author_share"),
    ("author_failure_rate", "author_failures", "days_since_author_failure"),
    ("file_failure_rate_max", "file_failure_rate_mean", "failed_files_share",
     "days_since_file_failure"),
    ("directory_failure_rate_max", "directory_failure_rate_mean",
     "days_since_directory_failure"),
    ("repository_recent_failure_rate", "repository_failure_rate",
     "days_since_repository_failure"),
    ("author_repair_rate", "author_repairs"),
    ("file_repair_rate_max", "file_repair_rate_mean", "days_since_file_repair"),
    ("directory_repair_rate_max", "directory_repair_rate_mean"),
    ("repository_recent_repair_rate", "repository_repair_rate"),
    ("rewritten_month", "rewritten_month_share", "rewritten_quarter", "rewritten_quarter_share",
     "rewritten_age_min", "rewritten_age"),
    ("rewritten_old", "rewritten_old_share"),
    ("rewritten_own", "rewritten_own_share"),
    ("rewritten_fixes", "rewritten_fixes_share"),
    ("rewritten_troubled", "rewritten_troubled_share", "rewritten_repairs"),
    ("rewritten_authors", "rewritten_origins"),
    ("beside_month_share", "beside_quarter_share", "beside_age_min", "beside_age",
     "beside_old_share"),
    ("beside_troubled_share", "beside_repairs"),
    ("beside_authors", "beside_origins"),
    ("title_failure_odds_max", "title_failure_odds", "title_like_failed"),
    ("title_like_own", "title_like_recent", "titles_like_recent", "hours_since_like_title",
     "like_title_files"),
    ("title_bump_major", "title_bump"),
    ("code_added", "additions", "source_lines_added", "largest_file_code", "code_per_hunk",
     "largest_file_churn", "churn_per_file", "churn_score",
     "churn_percentile"),
    ("changed_files", "files_score"),
    ("directories", "top_directories", "directories_score"),
    ("merges_this_week", "tempo", "hours_since_last_merge"),
    ("file_heat_max", "directory_heat_max", "file_idle_min", "file_idle_mean"),
    ("file_authors_max", "directory_authors_max", "ownership"),
    ("new_files_share", "new_directories_share", "files_added"),
    ("opened_weekend", "opened_friday", "hour_sine", "hour_cosine"),
)  # fmt: skip
"""Names of features, the most telling of each topic first; all others stand alone."""
