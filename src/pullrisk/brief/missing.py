"""What is missing from a pull: files that nearly always change together with its files.

Association over the repository's own pulls (Zimmermann et al., "Mining version histories to guide
software changes", 2004), over the latest changes of each file, so that habits that ended are
forgotten.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from pullrisk.brief.links import file_url
from pullrisk.brief.past import Past
from pullrisk.brief.result import MissingFile
from pullrisk.brief.wording import counted
from pullrisk.pulls.file_kinds import SOURCE, TEST, path_facts

CONFIDENCE: Final = 0.8
"""Share of the changes of a file in which another one changed too, to be missed.

Chosen on the third quarters of 17 repositories' histories (`make bench-brief`)."""
_TOGETHER: Final = 5
"""Changes of both files."""
_LATEST: Final = 10
"""The last changes of a file, in which the habit must not have ended."""
_WINDOW: Final = 100
"""Changes of a file that are looked at: the latest."""
_SWEEP: Final = 20
"""Files of a pull from which on they do not belong together."""
_MOST_FILES: Final = 30
"""Files of a pull beyond which nothing is missed from it."""
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class _Association:
    """Of the last `changes` of the file numbered `of`, `together` changed `path` too."""

    path: str
    of: int
    changes: int
    together: int
    is_test: bool

    @property
    def confidence(self) -> float:
        return self.together / self.changes


def missing(past: Past) -> tuple[MissingFile, ...]:
    """Up to three files that usually change with the pull's, tests first, and do not here."""
    files = past.pull.files or ()
    if not 0 < len(files) <= _MOST_FILES:
        return ()
    best: dict[str, _Association] = {}
    for place, file in enumerate(past.files):
        if file >= 0 and files[place].status != "removed":
            for each in _associated(past, file):
                before = best.get(each.path)
                if before is None or each.confidence > before.confidence:
                    best[each.path] = each
    ranked = sorted(best.values(), key=lambda each: (not each.is_test, -each.confidence, each.path))
    return tuple(_missing_file(past, each) for each in ranked[:_SHOWN])


def _associated(past: Past, file: int) -> list[_Association]:
    """The files that are not in the pull and nearly always changed with this one."""
    ends = past.log.file_ends
    rows = [
        row
        for row in past.rows_of(file, most=_WINDOW)
        if ends[row] - (ends[row - 1] if row else 0) <= _SWEEP
    ]
    if len(rows) < _TOGETHER:
        return []
    names = past.history.touched.files.paths
    present = set(past.files)
    return [
        _Association(names[partner], file, len(rows), together, _is_test(names[partner]))
        for partner, together in _habits(rows, past.log.files_of)
        if partner not in present and not past.index.record(partner).gone
    ]


def _habits(rows: list[int], changed: Callable[[int], Iterable[int]]) -> list[tuple[int, int]]:
    """What nearly always changed, lately too, and in how many of the pulls of the rows."""
    lately = Counter[int]()
    for row in rows[-_LATEST:]:
        lately.update(set(changed(row)))
    latest = CONFIDENCE * min(_LATEST, len(rows))
    candidates = {each for each, count in lately.items() if count >= latest}
    counts = Counter[int]()
    for row in rows if candidates else ():
        counts.update(candidates.intersection(changed(row)))
    least = max(CONFIDENCE * (len(rows) + 1), _TOGETHER)
    return [(each, count) for each, count in counts.items() if count >= least]


def _is_test(path: str) -> bool:
    return path_facts(path).kind == TEST


def _missing_file(past: Past, each: _Association) -> MissingFile:
    of = past.history.touched.files.paths[each.of]
    changes = "all" if each.together == each.changes else f"{each.together:,}"
    of_those = f"{changes} of the last {counted(each.changes, 'change')} of {of}"
    if each.is_test and path_facts(of).kind == SOURCE:
        text = f"no change of its test {each.path}: {of_those} changed both"
    else:
        text = f"no change of {each.path}: {of_those} changed both"
    return MissingFile(
        path=each.path,
        with_path=of,
        support=each.changes,
        confidence=each.confidence,
        text=text,
        url=file_url(past.pull.repository, each.path),
    )
