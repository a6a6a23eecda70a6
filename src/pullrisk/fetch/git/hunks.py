"""The hunks of a pull's file, and who wrote the lines that each one touches."""

from array import array
from collections import Counter
from collections.abc import Mapping
from itertools import compress

from pullrisk.fetch.git.difference import Difference
from pullrisk.fetch.git.open_lines import blame
from pullrisk.fetch.git.patches import FilePatch, Hunk
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.hunks import ChangedHunk


def hunks_of(
    git: Git, difference: Difference, path: str, numbers: Mapping[str, int]
) -> list[ChangedHunk]:
    """The hunks of the file `path`, in order; empty if it is not changed, or has no lines.

    `numbers` are the pulls and pushes by the commit that merged each.
    """
    file = difference.file(path)
    if file is None or file.binary:
        return []
    lines, names = array("I"), array("q", [0])
    if file.previous is not None and file.hunks:
        history = blame(git, difference.start, [file], numbers)
        lines, names = history.files[file.previous], history.numbers
    return [changed_hunk(hunk, file, lines, names) for hunk in file.hunks]


def changed_hunk(
    hunk: Hunk, file: FilePatch, lines: "array[int]", names: "array[int]"
) -> ChangedHunk:
    """The hunk with those whose lines it touches.

    `lines` are the positions in `names`, the numbers of pulls and pushes, of the lines of the file
    as it was; empty if nobody knows them.
    """
    start = hunk.old_start - 1
    removed = lines[start : start + hunk.removed] if hunk.removed else array("I")
    code = compress(removed, hunk.code) if file.counted else removed
    rewrites = Counter(names[position] for position in code)
    beside = () if hunk.removed else lines[max(hunk.old_start - 1, 0) : hunk.old_start + 1]
    first = max(hunk.new_start, 1)
    return ChangedHunk(
        first=first,
        last=first + max(hunk.added - 1, 0),
        added=hunk.added,
        removed=hunk.removed,
        rewrites=tuple(sorted(rewrites.items(), key=lambda each: (-each[1], each[0]))),
        neighbours=tuple(sorted({names[position] for position in beside})),
    )
