"""What would lower the risk: one change to the pull, tried by scoring the pull so changed."""

from collections.abc import Callable, Iterable
from math import prod
from os.path import commonpath
from typing import Final

import msgspec

from pullrisk.brief.past import Past
from pullrisk.brief.result import Relief
from pullrisk.brief.wording import counted, listed, share
from pullrisk.pulls.file_kinds import SOURCE, TEST, VENDORED, path_facts
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull

_LESS: Final = 0.75
"""Share of the risk that may be left for a change to be worth proposing."""
_LEAST: Final = 0.03
"""And the least by which the risk has to fall."""
_MOST_PARTS: Final = 3
_SCALED: Final = (
    "comments_added", "comments_removed", "blanks_added", "blanks_removed", "hunks_added",
    "hunks_removed", "hunks_changed",
)  # fmt: skip
_SWEEP: Final = 40
"""A pull with more files than this says nothing about which belong together."""
_CHANGES: Final = 8
"""Earlier changes of a part's files from which on "never together" means something."""


def relief(past: Past, risk: float, *, score: Callable[[Pull], float | None]) -> Relief | None:
    """The change after which `score` says clearly less than `risk`; None if there is none."""
    return _without_vendored(past.pull, risk, score) or _split(past, risk, score)


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


def _split(past: Past, risk: float, score: Callable[[Pull], float | None]) -> Relief | None:
    parts = never_together(past)
    if not 2 <= len(parts) <= _MOST_PARTS:
        return None
    scores = [score(only(past.pull, part)) for part in parts]
    risks = [each for each in scores if each is not None]
    if len(risks) < len(parts):
        return None
    # Two halves of the same risk are no relief: one of them would still need the fix.
    if not _worth_it(risk, max(risks)) or 1.0 - prod(1.0 - each for each in risks) >= risk:
        return None
    names = [_folder([path for path in part if path_facts(path).kind == SOURCE]) for part in parts]
    if len(set(names)) < len(names):
        return None
    text = f"split: {listed(names)} never changed together before; apart, the riskier part is at "
    return Relief(
        kind="split",
        text=f"{text}{share(max(risks))} instead of {share(risk)}",
        risk=max(risks),
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


def only(pull: Pull, paths: Iterable[str]) -> Pull:
    """The pull with these of its files alone.

    Counts of lines and code are those of the files; what is known of the pull as a whole
    (comments, kinds of hunks, tokens) is divided as the code is.
    """
    chosen = set(paths)
    files = pull.files or ()
    remaining = tuple(file for file in files if file.path in chosen)
    return msgspec.structs.replace(
        pull,
        files=remaining,
        changed_files=len(remaining),
        additions=_sum(file.additions for file in remaining),
        deletions=_sum(file.deletions for file in remaining),
        lines=pull.lines and _lines(pull.lines, files, remaining),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum; None if one of them is unknown."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _lines(
    lines: ChangedLines, files: tuple[ChangedFile, ...], remaining: tuple[ChangedFile, ...]
) -> ChangedLines:
    sources = [file for file in remaining if path_facts(file.path).kind == SOURCE]
    added = sum(file.code_added or 0 for file in sources)
    removed = sum(file.code_removed or 0 for file in sources)
    added, removed = min(added, lines.code_added), min(removed, lines.code_removed)
    whole = lines.code_added + lines.code_removed
    part = (added + removed) / whole if whole else 1.0
    places = {file.path: place for place, file in enumerate(remaining)}
    moved = [places.get(file.path, -1) for file in files]
    return msgspec.structs.replace(
        lines,
        rewrites=lines.rewrites and _moved(lines.rewrites, moved),
        neighbours=lines.neighbours and _moved(lines.neighbours, moved),
        code_added=added,
        code_removed=removed,
        tokens_added=tuple(round(part * count) for count in lines.tokens_added),
        tokens_removed=tuple(round(part * count) for count in lines.tokens_removed),
        **{name: round(part * getattr(lines, name)) for name in _SCALED},
    )


def _moved(origins: tuple[Origin, ...], places: list[int]) -> tuple[Origin, ...]:
    """The origins in the remaining files, at their new places there."""
    return tuple(
        Origin(origin.number, origin.lines, places[origin.file])
        for origin in origins
        if 0 <= origin.file < len(places) and places[origin.file] >= 0
    )


def never_together(past: Past) -> list[list[str]]:
    """The parts of the pull whose source files no earlier pull changed together; [] if it is one.

    A file without a past, and one that is no source, goes with those of its directory or of its
    name, else with the largest part. A part has enough earlier changes to say "never".
    """
    files = [file.path for file in past.pull.files or ()]
    pulls = {path: _pulls(past, path) for path in files if path_facts(path).kind == SOURCE}
    parts = _joined({path: own for path, own in pulls.items() if own})
    if len(parts) < 2 or min(map(len, (_changes(part, pulls) for part in parts))) < _CHANGES:
        return []
    largest = max(parts, key=len)
    for path in files:
        if not any(path in part for part in parts):
            (_nearest(path, parts) or largest).append(path)
    return sorted(parts, key=len, reverse=True)


def _pulls(past: Past, path: str) -> frozenset[int]:
    return frozenset(row for row in past.pulls_of(path) if past.size_of(row) <= _SWEEP)


def _changes(part: list[str], pulls: dict[str, frozenset[int]]) -> frozenset[int]:
    return frozenset[int]().union(*(pulls[path] for path in part))


def _joined(pulls: dict[str, frozenset[int]]) -> list[list[str]]:
    """Paths, together if a chain of common pulls or a common directory links them."""
    parts: list[tuple[list[str], frozenset[int], set[str]]] = []
    for path, own in pulls.items():
        folder = path_facts(path).directory
        linked = [part for part in parts if part[1] & own or folder in part[2]]
        parts = [part for part in parts if part not in linked]
        paths = [each for part in linked for each in part[0]]
        together = own.union(*(part[1] for part in linked))
        folders = {folder}.union(*(part[2] for part in linked))
        parts.append(([*paths, path], together, folders))
    return [part[0] for part in parts]


def _nearest(path: str, parts: list[list[str]]) -> list[str] | None:
    """The part with a file in the same directory, or of the same name as a test's."""
    facts = path_facts(path)
    stem = _stem(path) if facts.kind == TEST else None
    for part in parts:
        if any(path_facts(each).directory == facts.directory for each in part):
            return part
    for part in parts:
        if stem and any(_stem(each) == stem for each in part):
            return part
    return None


def _stem(path: str) -> str:
    """The name of a file without its extension, and of a test without what makes it one."""
    name = path.rpartition("/")[2].partition(".")[0].lower()
    for word in ("tests", "test", "spec"):
        name = name.removeprefix(f"{word}_").removesuffix(f"_{word}").removesuffix(word)
    return name
