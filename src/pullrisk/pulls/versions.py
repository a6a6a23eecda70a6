"""Two versions of one pull request, of which a store keeps the newer one."""

from collections.abc import Iterable

from msgspec.structs import replace

from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.people import ROBOTIC, name_of
from pullrisk.pulls.record import Pull


def join_versions(stored: Pull, new: Pull) -> Pull:
    """The newer version (`new` if both are as old), with what only the other one knows.

    These are names of its author, the issues it closes, and what the change did to lines of code.

    GitHub names the author by login, a clone by address: a pull that is known from both ties
    them. That the commits are another's work (a bot's pull of a person's commits, two logins)
    ties nothing.
    """
    newer, older = (stored, new) if stored.updated_at > new.updated_at else (new, stored)
    names = dict.fromkeys(newer.author_names)
    own = len(names)
    names.update(dict.fromkeys(_names_for(newer, older)))
    if len(names) > own:
        newer = replace(newer, author_names=tuple(names))
    unknown = newer.closed_bugs is None and older.closed_bugs is not None
    if unknown and _is_same_change(newer, older):
        newer = replace(newer, closes=older.closes, closed_bugs=older.closed_bugs)
    if older.lines is None or _knows_lines(newer, older):
        return newer
    return _with_lines(newer, older, older.lines)


def _knows_lines(newer: Pull, older: Pull) -> bool:
    """Whether the older version of a change tells no more of its lines, or is another change."""
    if not _is_same_change(newer, older):
        return True
    if newer.lines is None or older.lines is None:
        return older.lines is None
    return newer.lines.rewrites is not None or older.lines.rewrites is None


def _is_same_change(newer: Pull, older: Pull) -> bool:
    change = _change_of(newer)
    return change is not None and _change_of(older) == change


def _change_of(pull: Pull) -> tuple[str, str | None] | None:
    """The commit that merged it; of an open pull its last commit and the branch it goes into."""
    if pull.merge_sha is not None:
        return pull.merge_sha, None
    if pull.event_at is not None or pull.head_sha is None:
        return None
    return pull.head_sha, pull.base_ref or ""


def _with_lines(newer: Pull, older: Pull, lines: ChangedLines) -> Pull:
    """The newer version with the lines of the older one, whose files may stand in another order."""
    known = {file.path: file for file in older.files or ()}
    files = newer.files and tuple(
        replace(file, code_added=same.code_added, code_removed=same.code_removed)
        if (same := known.get(file.path)) is not None and file.code_added is None
        else file
        for file in newer.files
    )
    places = {file.path: place for place, file in enumerate(newer.files or ())}
    moved = [places.get(file.path, -1) for file in older.files or ()]

    def origins(of: Iterable[Origin] | None) -> tuple[Origin, ...] | None:
        if of is None:
            return None
        return tuple(
            replace(origin, file=moved[origin.file] if 0 <= origin.file < len(moved) else -1)
            for origin in of
        )

    rewrites, neighbours = origins(lines.rewrites), origins(lines.neighbours)
    lines = replace(lines, rewrites=rewrites, neighbours=neighbours)
    return replace(newer, files=files, lines=lines)


def _names_for(newer: Pull, older: Pull) -> list[str]:
    """What the older version adds to the names of the newer one's author."""
    names = [name for name in older.author_names if name != ROBOTIC]
    if newer.author != older.author:
        if newer.bot != older.bot or not _from_two_sources(newer, older):
            return []
        names += [name_of(older.author)] if older.author else []
    main = name_of(newer.author) if newer.author else None
    logins = {name for name in (main, *newer.author_names) if name and name.startswith("login:")}
    others = {name for name in names if name.startswith("login:")}
    if logins and others and logins.isdisjoint(others):
        return []
    return [name for name in names if name != main]


def _from_two_sources(newer: Pull, older: Pull) -> bool:
    """Whether one is named by login, or by nobody (a deleted account), the other by address."""
    kinds = {name_of(pull.author)[:5] if pull.author else "login" for pull in (newer, older)}
    return len(kinds) == 2
