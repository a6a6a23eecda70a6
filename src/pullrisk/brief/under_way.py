"""What else is under way: open pulls that change the same files."""

from collections.abc import Iterable, Sequence
from math import log1p
from typing import Final

from pullrisk.brief.links import pull_url
from pullrisk.brief.result import UnderWay
from pullrisk.brief.wording import listed
from pullrisk.features.history import RepositoryHistory
from pullrisk.pulls.file_kinds import DEPENDENCY, VENDORED, path_facts
from pullrisk.pulls.record import Pull

_SHOWN: Final = 3


def under_way(
    history: RepositoryHistory | None, pull: Pull, others: Sequence[Pull]
) -> tuple[UnderWay, ...]:
    """Up to three of the open pulls among `others`, those that share the rarest files first.

    Lock files and vendored code collide all the time and say nothing.
    """
    files = pull.files or ()
    own = {path: 0.0 for file in files for path in _paths((file.path, file.previous_path))}
    for path in own:
        own[path] = 1.0 / (1.0 + log1p(_touches(history, path)))
    shared = [
        (other, sorted(common, key=lambda path: (-own[path], path)))
        for other in others
        if other.state == "open" and other.number != pull.number
        if (common := own.keys() & _changed(other))
    ]
    shared.sort(key=lambda each: (-sum(own[path] for path in each[1]), -each[0].number))
    return tuple(_told(other, paths) for other, paths in shared[:_SHOWN])


def _changed(pull: Pull) -> set[str]:
    files = pull.files or ()
    return {path for file in files for path in _paths((file.path, file.previous_path))}


def _paths(paths: Iterable[str | None]) -> list[str]:
    return [path for path in paths if path and path_facts(path).kind not in (DEPENDENCY, VENDORED)]


def _touches(history: RepositoryHistory | None, path: str) -> int:
    (record,) = (None,) if history is None else history.touched.files.find([path])
    return 0 if record is None else record.touches


def _told(other: Pull, paths: list[str]) -> UnderWay:
    title = f" ({other.title})" if other.title else ""
    return UnderWay(
        number=other.number,
        title=other.title,
        paths=tuple(paths),
        text=f"#{other.number}{title} changes {listed(paths)} too",
        url=pull_url(other.repository, other.number),
    )
