"""Which features describe the same thing, so that reasons mention it once."""

from typing import Final

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
    ("title_failure_odds_max", "title_failure_odds", "title_like_failed"),
    ("title_like_own", "title_like_recent", "titles_like_recent", "hours_since_like_title",
     "like_title_files"),
    ("title_bump_major", "title_bump"),
    ("additions", "source_lines_added", "largest_file_churn", "churn_per_file", "churn_score",
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
