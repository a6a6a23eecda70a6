"""Which earlier changes a fix repairs: those that wrote the code lines which it removes."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from pullrisk.pulls.outcomes.fixes import says_fix
from pullrisk.pulls.record import Pull

MOST_FILES: Final = 50
"""Files of a fix; one that changes more also does something else, and names origins at random."""
LEAST_SHARE: Final = 0.05
"""Share of the removed code lines that an origin wrote; what has less is touched by the way.

Chosen on links read by hand (docs/outcomes.md)."""
_BULK: Final = 300
"""Files of a change beyond which its lines were only moved, formatted or imported by it."""


def repaired_by(pull: Pull) -> Iterator[tuple[int, int]]:
    """The pulls and pushes whose code lines a fix removes, with how many: (number, lines).

    Nothing for a pull that says no fix or changes too many files, for origins of few of the lines,
    for lines of unknown origin and for its own.
    """
    lines = pull.lines
    if lines is None or not lines.rewrites or _files(pull) > MOST_FILES or not says_fix(pull):
        return
    removed = Counter[int]()
    for origin in lines.rewrites:
        removed[origin.number] += origin.lines
    least = max(1, LEAST_SHARE * lines.code_removed)
    for number, count in removed.items():
        if number not in (0, pull.number) and count >= least:
            yield number, count


def is_bulk(pull: Pull) -> bool:
    """Whether the change is so large that nothing is wrong with it where its lines are fixed."""
    return _files(pull) > _BULK


def _files(pull: Pull) -> int:
    return pull.changed_files or len(pull.files or ())
