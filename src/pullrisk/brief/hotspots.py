"""Where to look: the source files of a pull, ranked by how much of its risk they carry.

A file's share grows with the code that the pull adds to it, with earlier repairs in it, and with
how much code of the last 90 days the pull rewrites there. The weights are those of a conditional
logit: which file of a pull did its first repair change? They were fitted on the third quarters of
19 repositories' histories (`make bench-brief` judges them on the last).
"""

from dataclasses import dataclass
from math import exp, log1p
from typing import Final

from pullrisk.brief.index import PullInIndex
from pullrisk.brief.links import changed_file_url
from pullrisk.brief.result import Place
from pullrisk.brief.wording import age, counted
from pullrisk.features.decay import faded
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import SOURCE, path_facts
from pullrisk.pulls.record import ChangedFile

_ADDED, _REPAIRS, _YOUNG, _NO_CODE = 0.88, 0.30, 0.18, -6.0
"""Weights of the logarithms of code lines added, repairs (fading) and young lines rewritten, and
of a file without a line of code."""
_HALF_LIFE: Final = 180 * DAY
"""Seconds after which a repair counts half."""
_YOUNG_DAYS: Final = 90
_SURE: Final = 0.4
"""Share of the first file below which none is named. Set by judgement, not swept: at or above it
the fix changed the first file in 0.68 of the cases of the last quarters."""
_SHOWN: Final = 3
_LEAST: Final = 0.1
"""Share of a file below which it is not named."""


@dataclass(frozen=True, slots=True)
class Heat:
    """What makes a file risky: code lines added, repairs so far, young lines rewritten."""

    place: int
    share: float
    code: int
    repairs: int
    last_repair: float
    young: int


def places(known: PullInIndex) -> tuple[Place, ...]:
    """Up to three files to look at first; none if no file stands out."""
    ranked = heats(known)
    if len(ranked) < 2 or ranked[0].share < _SURE:
        return ()
    return tuple(_told(known, each) for each in ranked[:_SHOWN] if each.share >= _LEAST)


def heats(known: PullInIndex) -> list[Heat]:
    """The source files of a pull, those with the largest share of its risk first."""
    files = known.pull.files or ()
    chosen = [place for place, file in enumerate(files) if path_facts(file.path).kind == SOURCE]
    young = _young_lines(known)
    facts = [(place, *_repairs(known, place)) for place in chosen]
    weights = [
        exp(_score(files[place], faded_repairs, young[place]))
        for place, _, _, faded_repairs in facts
    ]
    total = sum(weights)
    ranked = [
        Heat(place, weight / total, _code(files[place]), repairs, last, young[place])
        for weight, (place, repairs, last, _) in zip(weights, facts, strict=True)
    ]
    return sorted(ranked, key=lambda each: (-each.share, each.place))


def _score(file: ChangedFile, repairs: float, young: int) -> float:
    if file.code_added is None and file.status != "removed":
        code = _NO_CODE
    else:
        code = _NO_CODE / 2 if file.status == "removed" else 0.0
    return code + _ADDED * log1p(_code(file)) + _REPAIRS * log1p(repairs) + _YOUNG * log1p(young)


def _code(file: ChangedFile) -> int:
    """Code lines that it adds; all lines if nobody counted code."""
    return (file.additions or 0) if file.code_added is None else file.code_added


def _repairs(known: PullInIndex, place: int) -> tuple[int, float, float]:
    """Pulls that needed a fix in the file, when the last fix was, and the same number faded."""
    latest: dict[int, float] = {}
    if known.files[place] >= 0:
        for failure in known.repairs_of(known.files[place]):
            latest[failure.row] = max(failure.at, latest.get(failure.row, failure.at))
    fading = sum(faded(1.0, known.now - at, _HALF_LIFE) for at in latest.values())
    return len(latest), max(latest.values(), default=0.0), fading


def _young_lines(known: PullInIndex) -> list[int]:
    """Code lines of the last 90 days that the pull rewrites, by place of the file."""
    lines = known.pull.lines
    young = [0] * len(known.files)
    for origin in (lines and lines.rewrites) or ():
        writer = known.writer(origin.number)
        if writer is None or not 0 <= origin.file < len(young):
            continue
        if known.now - writer[0].merged_at[writer[1]] < _YOUNG_DAYS * DAY:
            young[origin.file] += origin.lines
    return young


def _told(known: PullInIndex, each: Heat) -> Place:
    pull = known.pull
    path = (pull.files or ())[each.place].path
    facts = []
    if each.young:
        facts.append(f"rewrites {counted(each.young, 'line')} of the last {_YOUNG_DAYS} days")
    if each.repairs:
        last = age(max(0.0, (known.now - each.last_repair) / DAY))
        facts.append(f"{counted(each.repairs, 'earlier pull')} needed a fix here, last {last}")
    if each.code or not facts:
        facts.append(f"adds {counted(each.code, 'line')} of code")
    return Place(
        path=path,
        share=each.share,
        text="; ".join(facts),
        url=changed_file_url(pull.repository, pull.number, path),
    )
