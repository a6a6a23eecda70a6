"""A small made-up repository: pulls whose lines and fate are known, for sentences about them."""

from datetime import UTC, datetime, timedelta

import msgspec

from pullrisk.brief.case import Case
from pullrisk.brief.past import Past
from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull

START = datetime(2025, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=100)


def pull(
    number: int,
    *paths: str,
    day: float | None = None,
    author: str = "ann",
    title: str = "Change it",
    rewrites: tuple[tuple[int, int], ...] = (),
    added: int = 10,
) -> Pull:
    """A pull that adds code to the first path and rewrites (number, lines) of earlier ones in it.

    It is open, or was merged on that day.
    """
    merged = None if day is None else START + timedelta(days=day)
    removed = sum(lines for _, lines in rewrites)
    files = [ChangedFile(path, "modified", added, removed, None, added, removed) for path in paths]
    return Pull(
        repository="o/r",
        number=number,
        created_at=merged or NOW,
        updated_at=merged or NOW,
        merged_at=merged,
        closed_at=merged,
        title=title,
        author=author,
        author_names=(f"login:{author}",),
        additions=added * len(files),
        deletions=removed * len(files),
        changed_files=len(files),
        files=tuple(files),
        lines=ChangedLines(
            rewrites=tuple(Origin(number, lines, 0) for number, lines in rewrites),
            neighbours=(),
            code_added=added,
            code_removed=removed,
        ),
    )


def history(*pulls: Pull) -> RepositoryHistory:
    """A history that has seen these."""
    made = RepositoryHistory("o/r")
    for each in pulls:
        made.observe(each)
    return made


def case_of(
    asked: Pull, *before: Pull, usual: dict[str, float] | None = None, **row: float
) -> Case:
    """What is known of a pull after others; every usual value is 0 unless given."""
    seen = history(*before)
    moment = asked.merged_at or NOW
    values = dict(zip(NAMES, seen.features(asked, as_of=moment), strict=True))
    return Case(
        {**values, **row},
        {**dict.fromkeys(NAMES, 0.0), **(usual or {})},
        Past(seen, asked, moment),
    )


def renamed(each: Pull, **changes: object) -> Pull:
    """The pull with other fields."""
    return msgspec.structs.replace(each, **changes)
