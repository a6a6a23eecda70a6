"""Features of what a change adds and removes: code, comments, hunks, conditions, calls."""

from typing import Final

from pullrisk.features.pull_context import PullContext
from pullrisk.features.schema import UNKNOWN, Feature, family
from pullrisk.pulls.file_kinds import TEST
from pullrisk.pulls.lines import TOKENS, ChangedLines

_WORDS: Final = {
    "condition": "conditions",
    "loop": "loops",
    "error": "error handlers",
    "null": "tests for null",
    "concurrency": "locks, threads and waits",
    "input_output": "reads and writes",
    "number": "number literals",
    "call": "calls",
    "definition": "definitions",
    "import": "imports",
    "return": "returns and jumps",
    "todo": "open ends",
}
"""What a reviewer calls a class of TOKENS."""
_BALANCED: Final = ("condition", "loop", "error", "null", "concurrency", "call", "definition")
"""Classes of which it matters whether the change adds more than it removes."""

FEATURES: Final[tuple[Feature, ...]] = family(
    "code",
    ("code_added", "code lines", "log", "code lines that it adds, without blanks and comments"),
    ("code_removed", "code lines", "log", "code lines that it removes or rewrites"),
    ("code_growth", "share", "linear", "share of its changed code lines that are added"),
    ("comments_added", "comment lines", "log", "comment lines that it adds"),
    ("comments_removed", "comment lines", "log", "comment lines that it removes"),
    ("blanks_added", "blank lines", "log", "blank lines that it adds"),
    ("hunks_added", "places", "log", "places where it only adds lines"),
    ("hunks_removed", "places", "log", "places where it only removes lines"),
    ("hunks_changed", "places", "log", "places where it replaces lines by others"),
    ("code_per_hunk", "code lines", "log", "code lines that it adds in each place, on average"),
    ("code_files", "files", "log", "files of which it changes code lines"),
    ("largest_file_code", "code lines", "log", "code lines that it adds to the most changed file"),
    ("test_lines_added", "test lines", "log", "test lines added beside the code"),
    ("test_growth", "share", "linear", "share of the added code and test lines that are tests"),
) + family(
    "tokens",
    *((f"{name}_added", _WORDS[name], "log", f"{_WORDS[name]} in the code that it adds")
      for name in TOKENS),
    *((f"{name}_balance", "ratio", "linear",
       f"balance of {_WORDS[name]} added (+1) and removed (-1)") for name in _BALANCED),
)  # fmt: skip

_UNKNOWN: Final = tuple([UNKNOWN] * len(FEATURES))
_PLACES: Final = [TOKENS.index(name) for name in _BALANCED]
_NO_TOKENS: Final = tuple([0] * len(TOKENS))


def features(context: PullContext) -> tuple[float, ...]:
    """The values of FEATURES, in their order."""
    lines = context.pull.lines
    if lines is None:
        return _UNKNOWN
    added: int = lines.code_added
    removed: int = lines.code_removed
    hunks: int = lines.hunks_added + lines.hunks_changed
    return (
        added,
        removed,
        added / (added + removed) if added or removed else 0.0,
        lines.comments_added,
        lines.comments_removed,
        lines.blanks_added,
        lines.hunks_added,
        lines.hunks_removed,
        lines.hunks_changed,
        added / hunks if hunks else 0.0,
        *_by_file(context, added),
        *_tokens(lines),
    )


def _by_file(context: PullContext, added: int) -> tuple[float, float, float, float]:
    """Files with code, the most code added to one of them, and the tests beside it."""
    if not context.files_known:
        return UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN
    files = tests = largest = 0
    for place, file in enumerate(context.files):
        if context.facts[place].kind == TEST:
            tests += context.added[place]
            continue
        more, fewer = file.code_added or 0, file.code_removed or 0
        if more or fewer:
            files += 1
            if more > largest:
                largest = more
    if not context.lines_known:
        return files, largest, UNKNOWN, UNKNOWN
    return files, largest, tests, tests / (tests + added) if tests else 0.0


def _tokens(lines: ChangedLines) -> tuple[float, ...]:
    """Counts of all classes, and the balance of some."""
    added = lines.tokens_added or _NO_TOKENS
    removed = lines.tokens_removed or _NO_TOKENS
    balances: list[float] = []
    for place in _PLACES:
        more: int = added[place]
        fewer: int = removed[place]
        balances.append((more - fewer) / (more + fewer) if more or fewer else 0.0)
    return (*added, *balances)
