"""Features of the pull request alone: how much it changes, where, of what kind, opened when."""

from math import cos, log2, pi, sin
from typing import Final

from librt.vecs import vec
from mypy_extensions import i64

from pullrisk.features.pull_context import PullContext
from pullrisk.features.schema import UNKNOWN, family
from pullrisk.pulls.file_kinds import CI, CONFIG, DEPENDENCY, DOCS, KINDS, SOURCE, TEST, VENDORED

FEATURES: Final = family(
    "size",
    ("additions", "lines", "log", "lines added"),
    ("deletions", "lines", "log", "lines deleted"),
    ("changed_files", "files", "log", "files changed"),
    ("commits", "commits", "log", "commits in the pull request"),
    ("churn_per_file", "lines", "log", "changed lines per file"),
    ("largest_file_churn", "lines", "log", "changed lines in the most changed file"),
    ("churn_entropy", "bits", "linear", "how evenly the change is spread over its files"),
    ("files_added", "files", "log", "files added"),
    ("files_removed", "files", "log", "files removed"),
    ("files_renamed", "files", "log", "files renamed"),
    ("deleted_share", "share", "linear", "share of the changed lines that are deletions"),
) + family(
    "kinds",
    ("source_files", "files", "log", "source files changed"),
    ("test_files", "files", "log", "test files changed"),
    ("docs_files", "files", "log", "documentation files changed"),
    ("config_files", "files", "log", "configuration files changed"),
    ("ci_files", "files", "log", "CI and build files changed"),
    ("dependency_files", "files", "log", "dependency manifests and lock files changed"),
    ("vendored_files", "files", "log", "vendored files changed"),
    ("test_churn_share", "share", "linear", "share of the changed lines that are in tests"),
    ("source_lines_added", "lines", "log", "lines added to source files"),
    ("source_lines_deleted", "lines", "log", "lines deleted from source files"),
    ("test_lines_deleted", "lines", "log", "lines deleted from tests"),
    ("source_without_tests", "flag", "flag", "changes source files but no test"),
    ("directories", "directories", "log", "directories touched"),
    ("top_directories", "directories", "log", "top-level directories touched"),
)  # fmt: skip

TIME_FEATURES: Final = family(
    "time",
    ("hour_sine", "sine", "linear", "hour of the day at which it was opened (UTC, sine)"),
    ("hour_cosine", "cosine", "linear", "hour of the day at which it was opened (UTC, cosine)"),
    ("opened_friday", "flag", "flag", "opened on a Friday"),
    ("opened_weekend", "flag", "flag", "opened on a Saturday or Sunday"),
)
_NO_TIME: Final = tuple([UNKNOWN] * 4)
_NO_KINDS: Final = tuple([UNKNOWN] * 14)
_CIRCLE: Final = [(sin(2 * pi * hour / 24), cos(2 * pi * hour / 24)) for hour in range(24)]


def features(context: PullContext) -> tuple[float, ...]:
    """The values of FEATURES, in their order."""
    churn, count, commits = context.churn, context.changed_files, context.pull.commits
    return (
        context.additions,
        context.deletions,
        count,
        UNKNOWN if commits is None else commits,
        churn / count if count else 0.0 * churn,
        *_spread(context),
        *_statuses(context),
        context.deletions / churn if churn else 0.0,
        *_kinds(context),
    )


def time_features(context: PullContext) -> tuple[float, ...]:
    """The values of TIME_FEATURES: when the pull was opened, never when it was merged."""
    if "opening" in context.pull.unknown:
        return _NO_TIME
    opened = context.pull.created_at
    weekday = opened.weekday()
    return (*_CIRCLE[opened.hour], float(weekday == 4), float(weekday >= 5))


def _spread(context: PullContext) -> tuple[float, float]:
    """The largest of the files' churns, and the entropy of their distribution in bits."""
    if not (context.lines_known and context.files_known):
        return UNKNOWN, UNKNOWN
    churns = context.churns
    total = sum(churns)
    if not total:
        return 0.0, 0.0
    largest = max(churns)
    if largest == total:
        return largest, 0.0
    entropy = log2(total) - sum([churn * log2(churn) for churn in churns if churn]) / total
    return largest, entropy


def _statuses(context: PullContext) -> tuple[float, float, float]:
    if not context.files_known:
        return UNKNOWN, UNKNOWN, UNKNOWN
    added = removed = renamed = 0
    for file in context.files:
        status = file.status
        if status == "modified":
            continue
        added += status == "added"
        removed += status == "removed"
        renamed += status == "renamed"
    return added, removed, renamed


def _kinds(context: PullContext) -> tuple[float, ...]:
    if not context.files_known:
        return _NO_KINDS
    files = vec[float]([0.0] * len(KINDS))
    added = vec[float]([0.0] * len(KINDS))
    deleted = vec[float]([0.0] * len(KINDS))
    for place, facts in enumerate(context.facts):
        kind: i64 = facts.kind
        files[kind] += 1.0
        added[kind] += float(context.added[place])
        deleted[kind] += float(context.deleted[place])
    lines = context.lines_known
    tested = added[TEST] + deleted[TEST]
    return (
        files[SOURCE],
        files[TEST],
        files[DOCS],
        files[CONFIG],
        files[CI],
        files[DEPENDENCY],
        files[VENDORED],
        (tested / sum(context.churns) if tested > 0.0 else 0.0) if lines else UNKNOWN,
        added[SOURCE] if lines else UNKNOWN,
        deleted[SOURCE] if lines else UNKNOWN,
        deleted[TEST] if lines else UNKNOWN,
        float(files[SOURCE] > 0.0 and files[TEST] == 0.0),
        len(context.directories),
        len({facts.top for facts in context.facts}),
    )
