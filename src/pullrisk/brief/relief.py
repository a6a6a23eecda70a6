"""What would lower the risk: one change to the pull, tried by scoring the pull so changed."""

from collections.abc import Callable
from os.path import commonpath
from typing import Final

from pullrisk.brief.parts import never_together, only
from pullrisk.brief.past import Past
from pullrisk.brief.result import Relief
from pullrisk.brief.wording import counted, listed, share
from pullrisk.pulls.file_kinds import SOURCE, VENDORED, path_facts
from pullrisk.pulls.record import Pull

_LESS: Final = 0.75
"""Share of the risk that may be left for a change to be worth proposing."""
_LEAST: Final = 0.03
"""And the least by which the risk has to fall."""
_MOST_PARTS: Final = 3


def relief(
    pull: Pull, risk: float, past: Past, *, score: Callable[[Pull], float | None]
) -> Relief | None:
    """The change after which `score` says clearly less than `risk`; None if there is none."""
    return _without_vendored(pull, risk, score) or _split(pull, risk, past, score)


def _without_vendored(
    pull: Pull, risk: float, score: Callable[[Pull], float | None]
) -> Relief | None:
    files = [file.path for file in pull.files or ()]
    vendored = [path for path in files if path_facts(path).kind == VENDORED]
    if not vendored or len(vendored) == len(files):
        return None
    left = score(only(pull, set(files) - set(vendored)))
    if left is None or not _worth_it(risk, left):
        return None
    where = f"{_folder(vendored)}: {share(left)} instead of {share(risk)}"
    text = f"without the {counted(len(vendored), 'vendored file')} of {where}"
    return Relief(kind="leave out", text=text, risk=left, paths=tuple(vendored))


def _split(
    pull: Pull, risk: float, past: Past, score: Callable[[Pull], float | None]
) -> Relief | None:
    parts = never_together(pull, past)
    if not 2 <= len(parts) <= _MOST_PARTS:
        return None
    risks = [score(only(pull, part)) for part in parts]
    if None in risks:
        return None
    known = [each or 0.0 for each in risks]
    safe = 1.0
    for each in known:
        safe *= 1.0 - each
    # Two halves of the same risk are no relief: one of them would still need the fix.
    if not _worth_it(risk, max(known)) or 1.0 - safe >= risk:
        return None
    names = [_folder([path for path in part if path_facts(path).kind == SOURCE]) for part in parts]
    if len(set(names)) < len(names):
        return None
    text = f"split: {listed(names)} never changed together before; apart, the riskier part is at "
    return Relief(
        kind="split",
        text=f"{text}{share(max(known))} instead of {share(risk)}",
        risk=max(known),
        paths=tuple(parts[-1]),
    )


def _worth_it(risk: float, left: float) -> bool:
    return left <= _LESS * risk and risk - left >= _LEAST


def _folder(paths: list[str]) -> str:
    """The directory that holds them all, with a slash; one path is itself."""
    if len(paths) == 1:
        return paths[0]
    folder = commonpath([path.rpartition("/")[0] for path in paths])
    return f"{folder}/" if folder else f"{paths[0]} and {counted(len(paths) - 1, 'other file')}"
