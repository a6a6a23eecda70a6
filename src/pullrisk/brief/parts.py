"""A pull with only some of its files: what it would be without the others."""

from collections.abc import Iterable
from typing import Final

import msgspec

from pullrisk.brief.past import Past
from pullrisk.pulls.file_kinds import SOURCE, TEST, path_facts
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull

_SCALED: Final = (
    "comments_added", "comments_removed", "blanks_added", "blanks_removed", "hunks_added",
    "hunks_removed", "hunks_changed",
)  # fmt: skip
_SWEEP: Final = 40
"""A pull with more files than this says nothing about which belong together."""
_CHANGES: Final = 8
"""Earlier changes of a part's files from which on "never together" means something."""


def only(pull: Pull, paths: Iterable[str]) -> Pull:
    """The pull with these of its files alone.

    Counts of lines and code are those of the files; what is known of the pull as a whole
    (comments, kinds of hunks, tokens) is divided as the code is.
    """
    wanted = set(paths)
    files = pull.files or ()
    kept = tuple(file for file in files if file.path in wanted)
    return msgspec.structs.replace(
        pull,
        files=kept,
        changed_files=len(kept),
        additions=_sum(file.additions for file in kept),
        deletions=_sum(file.deletions for file in kept),
        lines=pull.lines and _lines(pull.lines, files, kept),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    """The sum; None if one of them is unknown."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def _lines(
    lines: ChangedLines, files: tuple[ChangedFile, ...], kept: tuple[ChangedFile, ...]
) -> ChangedLines:
    added = sum(file.code_added or 0 for file in kept if path_facts(file.path).kind == SOURCE)
    removed = sum(file.code_removed or 0 for file in kept if path_facts(file.path).kind == SOURCE)
    added, removed = min(added, lines.code_added), min(removed, lines.code_removed)
    whole = lines.code_added + lines.code_removed
    part = (added + removed) / whole if whole else 1.0
    places = {file.path: place for place, file in enumerate(kept)}
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
    """The origins in the kept files, at their new places there."""
    return tuple(
        Origin(origin.number, origin.lines, places[origin.file])
        for origin in origins
        if 0 <= origin.file < len(places) and places[origin.file] >= 0
    )


def never_together(pull: Pull, past: Past) -> list[list[str]]:
    """The parts of a pull whose source files no earlier pull changed together; [] if it is one.

    A file without a past, and one that is no source, goes with those of its directory or of its
    name, else with the largest part. A part has enough earlier changes to say "never".
    """
    files = [file.path for file in pull.files or ()]
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
