"""The lines of a file to begin with: young ones that are rewritten first, then repaired ones.

A range is a stretch of the pull's own hunks. It is told only if it says more than that lines
change: whose they are, if they are young or their pull needed a fix; else that most of what is
added to the file is there.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pullrisk.brief.line_sentences import YOUNG_DAYS, befell
from pullrisk.brief.links import changed_file_url
from pullrisk.brief.past import Past, Writer
from pullrisk.brief.result import LineRange
from pullrisk.brief.wording import age, counted
from pullrisk.pulls.hunks import ChangedHunk
from pullrisk.pulls.record import Pull

MOST_RANGES: Final = 3
_GAP: Final = 4
"""Unchanged lines between two hunks that are read together."""
_FEW_LINES: Final = 3
"""Added lines of a stretch below which nothing is said of an insertion."""
_MOST_OF_IT: Final = 0.5
"""Share of the added lines of a file from which on a stretch is named for its size alone."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Hunks that lie close together."""

    hunks: tuple[ChangedHunk, ...]

    @property
    def added(self) -> int:
        return sum(hunk.added for hunk in self.hunks)

    @property
    def rewrites(self) -> Counter[int]:
        """Lines that they remove, by who wrote them."""
        lines = Counter[int]()
        for hunk in self.hunks:
            lines.update(dict(hunk.rewrites))
        return lines

    @property
    def neighbours(self) -> Counter[int]:
        """Lines that they insert, by whose lines these stand beside."""
        lines = Counter[int]()
        for hunk in self.hunks:
            lines.update(dict.fromkeys(hunk.neighbours, hunk.added))
        return lines


@dataclass(frozen=True, slots=True)
class _Told:
    """What is told of a stretch: `lines` that it rewrites of `writer`, 0 if it inserts beside some.

    What has the higher `rank` is read first.
    """

    stretch: _Stretch
    rank: tuple[int, int]
    lines: int = 0
    writer: Writer | None = None


def line_ranges(
    pull: Pull, path: str, hunks: Sequence[ChangedHunk], past: Past
) -> tuple[LineRange, ...]:
    """Up to three ranges of the file `path`, most worth reading first."""
    stretches = _joined(hunks)
    told = [each for stretch in stretches if (each := _of_writers(stretch, past))]
    if not told and len(stretches) > 1:
        total = sum(stretch.added for stretch in stretches)
        largest = max(stretches, key=lambda stretch: stretch.added)
        if largest.added >= max(_FEW_LINES, _MOST_OF_IT * total):
            told = [_Told(largest, (0, 0))]
    told.sort(key=lambda each: each.rank, reverse=True)
    named: set[int] = set()
    ranges = []
    for each in told[:MOST_RANGES]:
        ranges.append(_range(pull, path, each, _text(each, named)))
        if each.writer is not None:
            named.add(each.writer.number)
    return tuple(ranges)


def _joined(hunks: Sequence[ChangedHunk]) -> list[_Stretch]:
    stretches: list[list[ChangedHunk]] = []
    for hunk in hunks:
        if stretches and hunk.first - stretches[-1][-1].last <= _GAP + 1:
            stretches[-1].append(hunk)
        else:
            stretches.append([hunk])
    return [_Stretch(tuple(each)) for each in stretches]


def _of_writers(stretch: _Stretch, past: Past) -> _Told | None:
    """What is told of those whose lines it rewrites, else of those whose it inserts beside."""
    rewritten = _writers(stretch.rewrites, past)
    young = _young(rewritten)
    troubled = [each for each in rewritten if _is_troubled(each[0], past)]
    for rank, chosen in ((3, young), (2, troubled)):
        if chosen:
            writer, lines = max(chosen, key=lambda each: (each[1], each[0].number))
            return _Told(stretch, (rank, sum(count for _, count in chosen)), lines, writer)
    beside = _young(_writers(stretch.neighbours, past))
    if not beside or stretch.added < _FEW_LINES:
        return None
    writer, _ = max(beside, key=lambda each: (each[1], each[0].number))
    return _Told(stretch, (1, stretch.added), 0, writer)


def _writers(lines: Counter[int], past: Past) -> list[tuple[Writer, int]]:
    known = ((past.writer(number), count) for number, count in lines.items())
    return [(writer, count) for writer, count in known if writer is not None]


def _young(writers: list[tuple[Writer, int]]) -> list[tuple[Writer, int]]:
    return [each for each in writers if each[0].days <= YOUNG_DAYS]


def _is_troubled(writer: Writer, past: Past) -> bool:
    return writer.pull is not None and past.remembers(writer.trouble)


def _text(told: _Told, before: set[int]) -> str:
    """The sentence; what became of a pull is said once, where it is first named."""
    writer, added = told.writer, counted(told.stretch.added, "line")
    if writer is None:
        return f"most of what it adds to the file ({added})"
    what = (
        f"rewrites {counted(told.lines, 'line')}" if told.lines else f"inserts {added} beside lines"
    )
    if writer.number in before:
        return f"{what} of {writer.name} too"
    fate = f"; {writer.name} {befell(writer)}" if writer.trouble and writer.pull else ""
    return f"{what} that {writer.name} wrote {age(writer.days)}{fate}"


def _range(pull: Pull, path: str, told: _Told, text: str) -> LineRange:
    first, last = told.stretch.hunks[0].first, told.stretch.hunks[-1].last
    writer = told.writer
    return LineRange(
        first=first,
        last=last,
        text=text,
        number=writer.pull if writer else None,
        days=writer.days if writer else None,
        url=changed_file_url(pull.repository, pull.number, path, first=first, last=last),
    )
