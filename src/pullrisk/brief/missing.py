"""What is missing from a pull: files that nearly always change together with its files.

Association over the repository's own pulls (Zimmermann et al., "Mining version histories to guide
software changes", 2004), over the latest changes of each file, so that habits that ended are
forgotten.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Final

from pullrisk.brief.index import PullInIndex
from pullrisk.brief.links import file_url
from pullrisk.brief.result import MissingFile
from pullrisk.brief.wording import counted
from pullrisk.pulls.file_kinds import SOURCE, TEST

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
    """Of the last `changes` of the file numbered `of`, `together` changed `file` too."""

    file: int
    of: int
    changes: int
    together: int
    confidence: float


def missing(known: PullInIndex) -> tuple[MissingFile, ...]:
    """Up to three files that usually change with the pull's, tests first, and do not here."""
    files = known.pull.files or ()
    if not 0 < len(files) <= _MOST_FILES:
        return ()
    best: dict[int, _Association] = {}
    for place, file in enumerate(known.files):
        if file >= 0 and files[place].status != "removed":
            for each in _associated(known, file):
                before = best.get(each.file)
                if before is None or each.confidence > before.confidence:
                    best[each.file] = each
    kinds = {each.file: known.index.record(each.file).facts.kind for each in best.values()}
    ranked = sorted(
        best.values(), key=lambda each: (kinds[each.file] != TEST, -each.confidence, each.file)
    )
    return tuple(_told(known, each) for each in ranked[:_SHOWN])


def _associated(known: PullInIndex, file: int) -> list[_Association]:
    """The files that are not in the pull and nearly always changed with this one."""
    ends = known.log.file_ends
    rows = [
        row
        for row in known.rows_of(file, most=_WINDOW)
        if ends[row] - (ends[row - 1] if row else 0) <= _SWEEP
    ]
    if len(rows) < _TOGETHER:
        return []
    least = CONFIDENCE * (len(rows) + 1)
    counts = Counter[int]()
    for row in rows:
        counts.update(set(known.log.files_of(row)))
    lately = Counter[int]()
    for row in rows[-_LATEST:]:
        lately.update(set(known.log.files_of(row)))
    latest = CONFIDENCE * min(_LATEST, len(rows))
    present = set(known.files)
    return [
        _Association(partner, file, len(rows), together, together / len(rows))
        for partner, together in counts.items()
        if together >= max(least, _TOGETHER)
        and lately[partner] >= latest
        and partner not in present
        and not known.index.record(partner).gone
    ]


def _told(known: PullInIndex, each: _Association) -> MissingFile:
    paths = known.history.touched.files.paths
    path, of = paths[each.file], paths[each.of]
    record, with_record = known.index.record(each.file), known.index.record(each.of)
    tests = record.facts.kind == TEST and with_record.facts.kind == SOURCE
    what = f"no change of its test {path}" if tests else f"no change of {path}"
    changes = "all" if each.together == each.changes else f"{each.together:,}"
    return MissingFile(
        path=path,
        with_path=of,
        support=each.changes,
        confidence=each.confidence,
        text=f"{what}: {changes} of the last {counted(each.changes, 'change')} of {of}"
        " changed both",
        url=file_url(known.pull.repository, path),
    )
