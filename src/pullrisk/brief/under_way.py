"""What else is under way: open pulls and unmerged branches that change the same files or lines."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from math import log1p
from typing import Final

from pullrisk.brief.links import pull_url
from pullrisk.brief.past import Past
from pullrisk.brief.result import UnderWay
from pullrisk.brief.wording import age, listed
from pullrisk.features.history import RepositoryHistory
from pullrisk.features.schema import DAY
from pullrisk.pulls.file_kinds import DEPENDENCY, SOURCE, VENDORED, path_facts
from pullrisk.pulls.lines import UnmergedWork
from pullrisk.pulls.record import Pull

MOST_OPEN: Final = 500
"""Open pulls of a repository that are looked at: the latest."""
_SHOWN: Final = 3
_EVERYONES: Final = 0.08
"""Share of the repository's pulls that change a file, a change log mostly, from which on that says
nothing."""
_FEW: Final = 30
"""Changes of a file that may be many only because the history is short."""


def open_works(pulls: Iterable[Pull]) -> list[UnmergedWork]:
    """The open ones of the pulls, with the files that each changes."""
    return [
        UnmergedWork(
            title=pull.title, number=pull.number, paths=_changed(pull), since=pull.created_at
        )
        for pull in pulls
        if pull.state == "open"
    ]


def under_way(past: Past, works: Sequence[UnmergedWork]) -> tuple[UnderWay, ...]:
    """Up to three works on the pull's files that had begun by the moment.

    Those on its lines come first, then those on its rarest files.

    Lock files, vendored code and what every pull changes collide all the time and say nothing.
    """
    pull, moment, history = past.pull, past.moment, past.history
    files = [path for path in _changed(pull) if path_facts(path).kind not in (DEPENDENCY, VENDORED)]
    touches = {path: _touches(history, path) for path in files}
    everyones = max(_FEW, _EVERYONES * len(history.log))
    own = {path: 1.0 / (1.0 + log1p(touches[path])) for path in files if touches[path] < everyones}
    shared = [
        (work, sorted(common, key=lambda path: (*_place(path, work), -own[path], path)))
        for work in works
        if work.since <= moment and (work.number is None or work.number != pull.number)
        if (common := own.keys() & work.paths)
    ]
    shared.sort(key=lambda each: (*_distance(each[0], each[1], own), -(each[0].number or 0)))
    return tuple(
        _under_way(pull.repository, work, paths, moment) for work, paths in shared[:_SHOWN]
    )


def _place(path: str, work: UnmergedWork) -> tuple[bool, bool]:
    """What comes first: the same lines, and source files before all others."""
    return path not in work.same_lines, path_facts(path).kind != SOURCE


def _distance(work: UnmergedWork, paths: list[str], own: dict[str, float]) -> tuple[int, float]:
    return -len(work.same_lines.intersection(paths)), -sum(own[path] for path in paths)


def _changed(pull: Pull) -> frozenset[str]:
    files = pull.files or ()
    return frozenset(path for file in files for path in (file.path, file.previous_path) if path)


def _touches(history: RepositoryHistory, path: str) -> int:
    (record,) = history.touched.files.find([path])
    return 0 if record is None else record.touches


def _under_way(repository: str, work: UnmergedWork, paths: list[str], moment: datetime) -> UnderWay:
    same = tuple(path for path in paths if path in work.same_lines)
    what = f"the same lines of {listed(list(same))}" if same else f"{listed(paths)} too"
    return UnderWay(
        number=work.number,
        branch=work.branch,
        title=work.title,
        paths=tuple(paths),
        same_lines=same,
        text=f"{_name(work, moment)} changes {what}",
        url=pull_url(repository, work.number) if work.number is not None else None,
    )


def _name(work: UnmergedWork, moment: datetime) -> str:
    if work.number is not None:
        return f"#{work.number} ({work.title})" if work.title else f"#{work.number}"
    days = (moment - work.since).total_seconds() / DAY
    return f"the branch {work.branch} (last commit {age(days)})"
