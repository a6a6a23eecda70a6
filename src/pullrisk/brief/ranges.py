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
from pullrisk.brief.wording import age, counted, removing_verb
from pullrisk.pulls.lines import ChangedHunk
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
class _Finding:
    """What is to be said of a stretch: it rewrites `lines` of `writer`, or inserts beside some (0).

    What has the higher `rank` is read first.
    """

    stretch: _Stretch
    rank: tuple[int, int]
    lines: int = 0
    writer: Writer | None = None


def line_ranges(past: Past, path: str, hunks: Sequence[ChangedHunk]) -> tuple[LineRange, ...]:
    """Up to three ranges of the pull's file `path`, most worth reading first."""
    stretches = _joined(hunks)
    findings = [finding for each in stretches if (finding := _of_writers(each, path, past))]
    if not findings and len(stretches) > 1:
        total = sum(stretch.added for stretch in stretches)
        largest = max(stretches, key=lambda stretch: stretch.added)
        if largest.added >= max(_FEW_LINES, _MOST_OF_IT * total):
            findings = [_Finding(largest, (0, 0))]
    findings.sort(key=lambda finding: finding.rank, reverse=True)
    named: set[int] = set()
    ranges = []
    for finding in findings[:MOST_RANGES]:
        ranges.append(_range(past.pull, path, finding, _text(finding, named)))
        if finding.writer is not None:
            named.add(finding.writer.number)
    return tuple(ranges)


def _joined(hunks: Sequence[ChangedHunk]) -> list[_Stretch]:
    stretches: list[list[ChangedHunk]] = []
    for hunk in hunks:
        if stretches and hunk.first - stretches[-1][-1].last <= _GAP + 1:
            stretches[-1].append(hunk)
        else:
            stretches.append([hunk])
    return [_Stretch(tuple(each)) for each in stretches]


def _of_writers(stretch: _Stretch, path: str, past: Past) -> _Finding | None:
    """What is told of those whose lines it rewrites, else of those whose it inserts beside."""
    rewritten = _writers(stretch.rewrites, path, past)
    young = _young(rewritten)
    troubled = [each for each in rewritten if _is_troubled(each[0], past)]
    for rank, chosen in ((3, young), (2, troubled)):
        if chosen:
            writer, lines = max(chosen, key=lambda each: (each[1], each[0].number))
            return _Finding(stretch, (rank, sum(count for _, count in chosen)), lines, writer)
    beside = _young(_writers(stretch.neighbours, path, past))
    if not beside or stretch.added < _FEW_LINES:
        return None
    writer, _ = max(beside, key=lambda each: (each[1], each[0].number))
    return _Finding(stretch, (1, stretch.added), 0, writer)


def _writers(lines: Counter[int], path: str, past: Past) -> list[tuple[Writer, int]]:
    known = ((past.writer(number, path=path), count) for number, count in lines.items())
    return [(writer, count) for writer, count in known if writer is not None]


def _young(writers: list[tuple[Writer, int]]) -> list[tuple[Writer, int]]:
    return [each for each in writers if each[0].days <= YOUNG_DAYS]


def _is_troubled(writer: Writer, past: Past) -> bool:
    return writer.pull is not None and past.remembers(writer.trouble)


def _text(finding: _Finding, before: set[int]) -> str:
    """The sentence; what became of a pull is said once, where it is first named."""
    writer, added = finding.writer, counted(finding.stretch.added, "line")
    if writer is None:
        return f"most of what it adds to the file ({added})"
    verb = removing_verb(finding.stretch.added)
    what = (
        f"{verb} {counted(finding.lines, 'line')}"
        if finding.lines
        else f"inserts {added} beside lines"
    )
    if writer.number in before:
        return f"{what} of {writer.name} too"
    fate = f"; {writer.name} {befell(writer)}" if writer.trouble and writer.pull else ""
    return f"{what} that {writer.name} wrote {age(writer.days)}{fate}"


def _range(pull: Pull, path: str, finding: _Finding, text: str) -> LineRange:
    first, last = finding.stretch.hunks[0].first, finding.stretch.hunks[-1].last
    writer = finding.writer
    return LineRange(
        first=first,
        last=last,
        text=text,
        number=writer.pull if writer else None,
        days=writer.days if writer else None,
        url=changed_file_url(pull.repository, pull.number, path, first=first, last=last),
    )
