"""Where to look: the source files of a pull, ranked by how much of its risk they carry.

A file's share grows with the code that the pull adds to it, with earlier repairs in it, and with
how much code of the last 90 days the pull rewrites there. The weights are those of a conditional
logit: which file of a pull did its first repair change? They were fitted on the first halves of 19
repositories' histories, and chosen on the third quarters among some 30 facts about a file: owners,
authors, how often it changes, its and its directory's repair rate, whose lines are rewritten and
what became of these told no more, nor did boosted trees over all of them (`make bench-brief`
judges on the last quarters).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log1p
from typing import Final

from pullrisk.brief.links import changed_file_url
from pullrisk.brief.past import FORGOTTEN_DAYS, Past
from pullrisk.brief.ranges import line_ranges
from pullrisk.brief.result import Place
from pullrisk.brief.wording import age, counted, removing_verb
from pullrisk.features.decay import faded
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import SOURCE, path_facts
from pullrisk.pulls.lines import ChangedHunk
from pullrisk.pulls.record import ChangedFile

_ADDED, _REPAIRS, _YOUNG = 0.80, 0.19, 0.11
"""Weights of the logarithms of code lines added, repairs (fading) and young lines rewritten."""
_NO_CODE, _REMOVED, _DECLARES = -6.5, -1.8, -0.85
"""Weights of a file whose code nobody counted, of a removed one, of one that only declares."""
_DECLARATIONS: Final = (".h", ".hh", ".hpp", ".pyi", ".d.ts")
_BUNDLE: Final = re.compile(r"(^|/)dist/.*\.[cm]?js$|\.(min|bundle)\.[cm]?js$")
"""What Actions and libraries in JavaScript commit beside the sources that it is made of."""
_HALF_LIFE: Final = 180 * DAY
"""Seconds after which a repair counts half."""
_YOUNG_DAYS: Final = 90
_SURE: Final = 0.4
"""Share of the first file below which none is named. Swept on the third quarters: of the pulls with
a share just above it the fix changed the first file in half, just below in fewer."""
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


def places(
    past: Past, hunks: Callable[[str], Sequence[ChangedHunk]] | None = None
) -> tuple[Place, ...]:
    """Up to three files to look at first; none if no file stands out.

    `hunks` tells those of a file, so that lines of it can be named; without them, or if nothing is
    to be said of its lines, an only file needs no telling.
    """
    ranked = heats(past)
    if not ranked or ranked[0].share < _SURE or (len(ranked) == 1 and hunks is None):
        return ()
    shown = [_place(past, heat, hunks) for heat in ranked[:_SHOWN] if heat.share >= _LEAST]
    shown = [place for place in shown if place.text or place.ranges]
    return tuple(shown) if len(ranked) > 1 or any(place.ranges for place in shown) else ()


def is_read(path: str) -> bool:
    """Whether it is a source file that people review: no bundle that a build has left."""
    return path_facts(path).kind == SOURCE and not _BUNDLE.search(path)


def heats(past: Past) -> list[Heat]:
    """The source files of a pull, those with the largest share of its risk first."""
    files = past.pull.files or ()
    chosen = [place for place, file in enumerate(files) if is_read(file.path)]
    young = _young_lines(past)
    facts = [(place, *_repairs(past, place)) for place in chosen]
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
    kind = _DECLARES if file.path.endswith(_DECLARATIONS) else 0.0
    if file.status == "removed":
        kind += _REMOVED
    elif file.code_added is None:
        kind += _NO_CODE
    return kind + _ADDED * log1p(_code(file)) + _REPAIRS * log1p(repairs) + _YOUNG * log1p(young)


def _code(file: ChangedFile) -> int:
    """Code lines that it adds; all lines if nobody counted code."""
    return (file.additions or 0) if file.code_added is None else file.code_added


def _repairs(past: Past, place: int) -> tuple[int, float, float]:
    """Pulls that needed a fix in the file, when the last fix was, and the same number faded."""
    latest: dict[int, float] = {}
    if past.files[place] >= 0:
        for failure in past.repairs_of(past.files[place]):
            latest[failure.row] = max(failure.at, latest.get(failure.row, failure.at))
    fading = sum(faded(1.0, past.now - at, _HALF_LIFE) for at in latest.values())
    return len(latest), max(latest.values(), default=0.0), fading


def _young_lines(past: Past) -> list[int]:
    """Code lines of the last 90 days that the pull rewrites, by place of the file."""
    lines = past.pull.lines
    young = [0] * len(past.files)
    for origin in (lines and lines.rewrites) or ():
        writer = past.written_in(origin.number)
        if writer is None or not 0 <= origin.file < len(young):
            continue
        if past.now - writer[0].merged_at[writer[1]] < _YOUNG_DAYS * DAY:
            young[origin.file] += origin.lines
    return young


def _place(past: Past, heat: Heat, hunks: Callable[[str], Sequence[ChangedHunk]] | None) -> Place:
    pull = past.pull
    file = (pull.files or ())[heat.place]
    path = file.path
    facts = []
    if heat.young:
        verb = removing_verb(heat.code)
        facts.append(f"{verb} {counted(heat.young, 'line')} of the last {_YOUNG_DAYS} days")
    if heat.repairs and past.now - heat.last_repair < FORGOTTEN_DAYS * DAY:
        last = age(max(0.0, (past.now - heat.last_repair) / DAY))
        which = ", last" if heat.repairs > 1 else ""
        facts.append(f"{counted(heat.repairs, 'earlier pull')} needed a fix here{which} {last}")
    if heat.code:
        facts.append(f"adds {counted(heat.code, 'line')} of code")
    elif file.status == "removed":
        facts.append("removed")
    elif file.code_removed:
        facts.append(f"removes {counted(file.code_removed, 'line')} of code")
    return Place(
        path=path,
        share=heat.share,
        text="; ".join(facts),
        ranges=line_ranges(past, path, hunks(path)) if hunks is not None else (),
        url=changed_file_url(pull.repository, pull.number, path),
    )
