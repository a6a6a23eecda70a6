"""What happened last time: earlier pulls most like a pull that needed a fix or were reverted."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import log
from typing import Final

from pullrisk.brief.hotspots import is_read
from pullrisk.brief.links import pull_url
from pullrisk.brief.past import FORGOTTEN_DAYS, Failure, Past
from pullrisk.brief.result import Outcome, Precedent
from pullrisk.brief.wording import duration, listed
from pullrisk.features.decay import faded
from pullrisk.features.failures import HOTFIX, REPAIR, REVERT
from pullrisk.features.pull_context import title_buckets
from pullrisk.features.schema import DAY

_SHOWN: Final = 3
_WINDOW: Final = 300
"""Changes of a file that are looked at: the latest."""
_SOON: Final = 90 * DAY
"""Seconds after its merge within which a fix of its lines says something of a pull."""
_HALF_LIFE: Final = 365 * DAY
_OWN_LINES: Final = 3.0
"""Weight of lines in common, in files."""


@dataclass(slots=True)
class _Candidate:
    """An earlier pull, by row: what befell it, and the files of the pull in which it did."""

    row: int
    failures: list[Failure] = field(default_factory=list)
    places: dict[int, None] = field(default_factory=dict)
    weight: float = 0.0


def precedents(past: Past) -> tuple[Precedent, ...]:
    """Up to three earlier pulls that went wrong where this pull works.

    A pull that needed a fix shares a file that the fix had to change, or lines; one that was
    reverted shares source files. Of equals the later one comes first; after two years it is
    forgotten.
    """
    candidates = _candidates(past)
    if not candidates:
        return ()
    lines = _rewritten(past)
    words = set(title_buckets(past.pull.title))
    for each in candidates:
        each.weight *= 1.0 + _OWN_LINES * lines.get(past.log.numbers[each.row], 0.0)
        each.weight *= 1.0 + 2.0 * _likeness(words, past.log.words_of(each.row))
        each.weight = faded(each.weight, past.now - past.log.merged_at[each.row], _HALF_LIFE)
    candidates.sort(key=lambda each: (-each.weight, -each.row))
    return tuple(_precedent(past, each) for each in candidates[:_SHOWN])


def _candidates(past: Past) -> list[_Candidate]:
    by_row: dict[int, _Candidate] = {}
    for place, file in enumerate(past.files):
        if file < 0 or not is_read((past.pull.files or ())[place].path):
            continue
        rows = past.rows_of(file, most=_WINDOW)
        rarity = 1.0 / log(2.0 + len(rows))
        for row, failures in _failed(past, file, rows):
            each = by_row.setdefault(row, _Candidate(row))
            each.failures += (failure for failure in failures if failure not in each.failures)
            each.places[place] = None
            each.weight += rarity
    return [each for each in by_row.values() if past.log.numbers[each.row] != past.pull.number]


def _failed(past: Past, file: int, rows: Iterable[int]) -> Iterable[tuple[int, list[Failure]]]:
    """Rows of pulls that soon were repaired in the file, or that changed it and were reverted."""
    repaired: dict[int, list[Failure]] = {}
    since = bisect_left(past.log.merged_at, past.now - FORGOTTEN_DAYS * DAY)
    for failure in past.repairs_of(file, since=since):
        if failure.at - past.log.merged_at[failure.row] <= _SOON:
            repaired.setdefault(failure.row, []).append(failure)
    for row in past.index.undone.intersection(row for row in rows if row >= since):
        undone = [each for each in past.failures_of(row) if each.kind in (REVERT, HOTFIX)]
        if undone:
            repaired.setdefault(row, []).extend(undone)
    return repaired.items()


def _rewritten(past: Past) -> dict[int, float]:
    """The share of the rewritten lines that each earlier pull wrote."""
    lines = past.pull.lines
    counts = Counter[int]()
    for origin in (lines and lines.rewrites) or ():
        counts[origin.number] += origin.lines
    total = counts.total()
    return {number: count / total for number, count in counts.items()}


def _likeness(words: set[int], others: Iterable[int]) -> float:
    """The Jaccard index of two titles' words."""
    theirs = set(others)
    common = len(words & theirs)
    return common / (len(words) + len(theirs) - common) if common else 0.0


def _precedent(past: Past, each: _Candidate) -> Precedent:
    log, repository = past.log, past.pull.repository
    number, last = log.numbers[each.row], _decisive(each.failures)
    by = last.by if last.by > 0 else None
    by_row = log.row(by) if by is not None else None
    days = max(0.0, (last.at - log.merged_at[each.row]) / DAY)
    paths = [(past.pull.files or ())[place].path for place in each.places]
    kinds = {failure.kind for failure in each.failures}
    how = "was reverted" if last.kind == REVERT else "needed a fix"
    agent = f", by #{by}" if by is not None else ""
    return Precedent(
        number=number,
        title=log.title_of(each.row) or "",
        outcome=_outcome(kinds),
        text=f"#{number} {how} after {duration(days)} in {listed(paths)}{agent}",
        by=by,
        by_title=log.title_of(by_row) if by_row is not None else None,
        days=days,
        paths=tuple(paths),
        url=pull_url(repository, number),
        by_url=pull_url(repository, by) if by is not None else None,
    )


def _decisive(failures: list[Failure]) -> Failure:
    """A revert before a fix; of several the first, and a pull's before a push's."""
    return min(failures, key=lambda each: (each.kind != REVERT, each.by < 0, each.at))


def _outcome(kinds: set[int]) -> Outcome:
    if REVERT not in kinds:
        return "repaired"
    return "repaired and reverted" if kinds & {REPAIR, HOTFIX} else "reverted"
