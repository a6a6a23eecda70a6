"""Features of the change itself: how much, where, of what kind. They need no history."""

from math import log2
from typing import Final

from pullrisk.features.paths import CI, CONFIG, DEPENDENCY, DOCS, OTHER, SOURCE, TEST, VENDORED
from pullrisk.features.schema import family
from pullrisk.features.view import View

FEATURES: Final = family(
    "size",
    ("additions", "lines", "log", "lines added"),
    ("deletions", "lines", "log", "lines deleted"),
    ("changed_files", "files", "log", "files changed"),
    ("commits", "commits", "log", "commits in the pull request"),
    ("deletion_share", "share", "linear", "share of the changed lines that are deletions"),
    ("churn_per_file", "lines", "log", "changed lines per file"),
    ("largest_file_churn", "lines", "log", "changed lines in the most changed file"),
    ("churn_entropy", "bits", "linear", "how evenly the change is spread over its files"),
    ("files_added", "files", "log", "files added"),
    ("files_removed", "files", "log", "files removed"),
    ("files_renamed", "files", "log", "files renamed"),
    ("lines_unknown", "flag", "flag", "line counts are not known"),
) + family(
    "kinds",
    ("source_files", "files", "log", "source files changed"),
    ("test_files", "files", "log", "test files changed"),
    ("docs_files", "files", "log", "documentation files changed"),
    ("config_files", "files", "log", "configuration files changed"),
    ("ci_files", "files", "log", "CI and build files changed"),
    ("dependency_files", "files", "log", "dependency manifests and lock files changed"),
    ("vendored_files", "files", "log", "vendored files changed"),
    ("other_files", "files", "log", "files of no known kind changed"),
    ("test_churn_share", "share", "linear", "share of the changed lines that are in tests"),
    ("source_without_tests", "flag", "flag", "changes source files but no test"),
    ("directories", "directories", "log", "directories touched"),
    ("top_directories", "directories", "log", "top-level directories touched"),
    ("extensions", "extensions", "log", "kinds of file extension touched"),
    ("path_depth", "folders", "linear", "mean depth of the touched files"),
)  # fmt: skip


def features(view: View) -> tuple[float, ...]:
    """The values of FEATURES, in their order."""
    churn, count = view.churn, view.changed_files
    return (
        view.additions,
        view.deletions,
        count,
        view.pull.commits or 0,
        view.deletions / churn if churn else 0.0,
        churn / count if count else 0.0,
        *_spread(view),
        *_kinds(view),
    )


def _spread(view: View) -> tuple[float, ...]:
    largest, entropy, total = 0, 0.0, 0
    added = removed = renamed = 0
    for file, churn in zip(view.files, view.churns, strict=True):
        status = file.status
        if status != "modified":
            added += status == "added"
            removed += status == "removed"
            renamed += status == "renamed"
        if churn:
            total += churn
            entropy += churn * log2(churn)
            if churn > largest:
                largest = churn
    entropy = log2(total) - entropy / total if total > largest else 0.0
    return largest, entropy, added, removed, renamed, float(view.pull.additions is None)


def _kinds(view: View) -> tuple[float, ...]:
    files, churns = [0] * 8, [0] * 8
    depth = 0
    for facts, churn in zip(view.facts, view.churns, strict=True):
        files[facts.kind] += 1
        churns[facts.kind] += churn
        depth += facts.depth
    return (
        files[SOURCE],
        files[TEST],
        files[DOCS],
        files[CONFIG],
        files[CI],
        files[DEPENDENCY],
        files[VENDORED],
        files[OTHER],
        churns[TEST] / view.churn if view.churn else 0.0,
        float(files[SOURCE] > 0 and not files[TEST]),
        len(view.directories),
        len({facts.top for facts in view.facts}),
        len({facts.extension for facts in view.facts}),
        depth / len(view.facts) if view.facts else 0.0,
    )
