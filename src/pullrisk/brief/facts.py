"""Which features say the same thing about a pull: each group is one fact, told in one sentence.

To ask what a fact is worth, all of its features are made usual together (`brief.reasons`): one
alone would leave the others to tell the model the same.
"""

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

OTHER: Final = "other"
"""The fact of all features that no sentence tells: the title's words, the time of day, what became
of the author's earlier pulls, how the repository fares as a whole."""

SIZE: Final = "size"
"""The fact of how much changes: the strongest of most pulls, and visible without any help."""

FACTS: Final[dict[str, tuple[str, ...]]] = {
    kind: tuple(names.split())
    for kind, names in {
        SIZE: """
            changed_files source_files code_files directories top_directories files_score
            directories_score churn_entropy scatter code_removed deletions source_lines_deleted
            deleted_share comments_removed hunks_removed code_added additions source_lines_added
            largest_file_code code_per_hunk largest_file_churn churn_per_file churn_score
            churn_percentile author_churn_score
            code_growth comments_added blanks_added hunks_added hunks_changed null_added
            input_output_added number_added call_added definition_added import_added return_added
            todo_added condition_added loop_added null_balance call_balance definition_balance
            condition_balance loop_balance""",
        "error handling": "error_added error_balance",
        "concurrency": "concurrency_added concurrency_balance",
        "kinds of files": "docs_files config_files ci_files dependency_files vendored_files",
        "moved files": "files_removed files_renamed",
        "new files": """
            files_added new_files_share new_directories_share file_age_mean""",
        "tests": """
            source_without_tests test_files test_churn_share test_lines_added test_growth
            test_lines_deleted""",
        "commits": "commits",
        "young lines": """
            rewritten_month rewritten_month_share rewritten_quarter rewritten_quarter_share
            rewritten_age rewritten_age_min rewritten_old rewritten_old_share""",
        "repaired lines": """
            rewritten_troubled rewritten_troubled_share rewritten_repairs""",
        "lines of fixes": "rewritten_fixes rewritten_fixes_share beside_fixes_share",
        "own lines": "rewritten_own rewritten_own_share beside_own_share",
        "writers": "rewritten_origins rewritten_authors beside_origins beside_authors",
        "beside young lines": """
            beside_month_share beside_quarter_share beside_age beside_age_min beside_old_share""",
        "beside repaired lines": "beside_troubled_share beside_repairs",
        "repaired files": """
            file_repair_rate_max file_repair_rate_mean days_since_file_repair""",
        "repaired directories": "directory_repair_rate_max directory_repair_rate_mean",
        "reverted files": """
            file_failure_rate_max file_failure_rate_mean failed_files_share days_since_file_failure
            directory_failure_rate_max directory_failure_rate_mean days_since_directory_failure
            extension_failure_rate_max""",
        "busy files": """
            file_heat_max directory_heat_max file_idle_min file_idle_mean""",
        "shared files": """
            file_touches_max file_authors_max directory_authors_max ownership""",
        "new to the files": """
            author_known_files files_new_to_author author_touch_share author_main_share
            same_author_again author_known_directories author_directory_share""",
        "new author": """
            author_new author_merged author_tenure author_recent author_share
            days_since_author_seen""",
        "agent": "author_agent",
        "robot": "author_bot",
        "fork": "from_fork",
        "version": "title_bump title_bump_major",
    }.items()
}
"""By fact: the features that it stands for. A feature is in one of them, or in none (OTHER)."""
KINDS: Final = (*FACTS, OTHER)


@lru_cache(maxsize=2)
def masks(names: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which columns of a row with the features `names` [d] are each fact's, [KINDS, d]."""
    places = {name: place for place, kind in enumerate(FACTS) for name in FACTS[kind]}
    columns = np.zeros((len(KINDS), len(names)), np.bool_)
    for column, name in enumerate(names):
        columns[places.get(name, len(FACTS)), column] = True
    return columns
