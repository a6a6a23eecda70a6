"""When the commits of a branch were made: their order is the truth, their clocks are evidence."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, TypeVar

from pullrisk.fetch.git.graph import BranchGraph
from pullrisk.fetch.git.log import Commit

HELD: Final = timedelta(days=1)
"""A commit whose time is moved by more than this had a wrong clock."""
_BEGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
T = TypeVar("T", int, datetime)


def commit_times(
    commits: Mapping[str, Commit], graph: BranchGraph, *, floor: datetime | None, now: datetime
) -> dict[str, datetime]:
    """The time of each commit: what its clock said, held between those around it on its line.

    On the branch times begin at `floor` and end at `now`, the time of the fetch. On a line that
    a merge brought in they begin where it left a line that is known, and end at that merge.
    """
    times: dict[str, datetime] = {}
    for merge, line in _lines(commits, graph):
        if merge is None:
            low, high = floor or _BEGIN, now
        else:
            first = next(iter(commits[line[0]].parents), "")
            high = times[merge]
            low = min(times.get(first, _BEGIN), high)
        stated = [commits[sha].committed_at for sha in line]
        held = monotone(stated, low, max(low, high), is_tip=merge is None)
        times.update(zip(line, held, strict=True))
    return times


def monotone(
    stated: Sequence[datetime], low: datetime, high: datetime, *, is_tip: bool = False
) -> list[datetime]:
    """The times in an order that never runs backwards, between `low` and `high`.

    The most clocks that agree with the order are believed (a longest non-decreasing sequence);
    the others are held between the believed ones before and after them. At the tip of the branch
    nothing comes after: there a date ahead of `high`, the time of the fetch, is held down to the
    one before, for it must not make what lies before it look old.
    """
    believed = _believed(stated, low, high)
    times: list[datetime] = []
    earliest = low
    for (start, _), (end, latest) in pairwise([(-1, low), *believed, (len(stated), high)]):
        for place in range(start + 1, end):
            is_ahead = is_tip and end == len(stated) and stated[place] > latest
            if not is_ahead:
                earliest = max(earliest, min(stated[place], latest))
            times.append(earliest)
        if end < len(stated):
            earliest = latest
            times.append(latest)
    return times


def _believed(
    stated: Sequence[datetime], low: datetime, high: datetime
) -> list[tuple[int, datetime]]:
    """Places and times of a longest non-decreasing sequence among those between the bounds."""
    likely = [place for place, moment in enumerate(stated) if low <= moment <= high]
    rising = longest_rising([stated[place] for place in likely])
    return [(place, stated[place]) for place in map(likely.__getitem__, rising)]


def longest_rising(values: Sequence[T]) -> list[int]:
    """The places of a longest non-decreasing subsequence (patience sorting), in order."""
    tails: list[T] = []
    places: list[int] = []
    before: list[int | None] = []
    for place, value in enumerate(values):
        length = bisect_right(tails, value)
        before.append(places[length - 1] if length else None)
        tails[length : length + 1] = [value]
        places[length : length + 1] = [place]
    chain: list[int] = []
    last = places[-1] if places else None
    while last is not None:
        chain.append(last)
        last = before[last]
    return chain[::-1]


def _lines(commits: Mapping[str, Commit], graph: BranchGraph) -> list[tuple[str | None, list[str]]]:
    """Each line of first parents with the merge that brought it in, which lies on one before it."""
    lines: list[tuple[str | None, list[str]]] = []
    last: dict[str | None, list[str]] = {}
    places: dict[str | None, int] = {None: len(graph.brought_by)}
    for place, (sha, merge) in enumerate(graph.brought_by.items()):
        line = last.get(merge)
        if line is None or commits[sha].parents[:1] != (line[-1],):
            line = last[merge] = []
            lines.append((merge, line))
        line.append(sha)
        places[sha] = place
    return sorted(lines, key=lambda brought: -places[brought[0]])
