"""What a pull request that is still open does to lines, where the clone has its commits; and hunk
by hunk, for a brief.

Its patch goes from the commit where it left the branch to its head. Who wrote the lines that it
touches is asked of `git blame`, for these lines only.
"""

import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import compress
from typing import Final

from msgspec.structs import replace

from pullrisk.fetch.git.changes import without_excluded
from pullrisk.fetch.git.difference import Difference, open_difference
from pullrisk.fetch.git.line_history import CommitLines, LineHistory
from pullrisk.fetch.git.patches import FilePatch, Hunk, Patch
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.pulls import sizes_of
from pullrisk.pulls.lines import ChangedHunk
from pullrisk.pulls.record import MAX_FILES, Pull, push_number

MOST_BLAMED: Final = 50
"""Files whose lines' origins are asked for; those of a pull with more are not known."""
_MOST_RANGES: Final = 2_000
_BYTE: Final = re.compile(rb"\\x([89a-f][0-9a-f])")
_BLAMED: Final = re.compile(r"^([0-9a-f]{40,64}) \d+ (\d+) (\d+)$", re.MULTILINE)
# The incremental form has no contents. Nothing that the repository's settings name is run.
_BLAME: Final = (
    *("-c", "blame.ignoreRevsFile=", "blame"),
    *("--first-parent", "--incremental", "--no-textconv"),
)


def with_lines(git: Git, pull: Pull, *, base: str, numbers: Mapping[str, int]) -> Pull:
    """The pull; if it is open and the clone has its commits, with what it does to lines.

    Files and sizes come along where its source does not list them. `base` is the branch's commit
    that the history was read from, `numbers` the pulls and pushes by the commit that merged each.
    Raises InputError if git's output is not understood.
    """
    difference = None if pull.event_at is not None else open_difference(git, pull, base)
    if difference is None:
        return pull
    patch = difference.patch
    pull = _with_files(git, pull, patch)
    if patch.unreadable:
        return pull
    touched = [file for file in patch.files if file.counted and file.hunks and file.previous]
    if len(touched) > MOST_BLAMED or git.is_partial():  # it lacks what to blame
        return CommitLines(None, patch).add_to(pull)
    history = blame(git, difference.start, touched, numbers)
    return CommitLines(history, patch, history.observe(patch, pull.number)).add_to(pull)


def _with_files(git: Git, pull: Pull, patch: Patch) -> Pull:
    files = without_excluded(git, patch.changes()).files
    if pull.files is not None or files is None:
        return pull
    sizes = {
        name: counted if (stated := getattr(pull, name)) is None else stated
        for name, counted in sizes_of(files).items()
    }
    return replace(pull, files=files[:MAX_FILES], **sizes)


def blame(git: Git, commit: str, files: list[FilePatch], numbers: Mapping[str, int]) -> LineHistory:
    """The lines of the files that their hunks touch, as far as git tells who wrote them."""
    history = LineHistory()
    positions: dict[str, int] = {}
    for file in files:
        path = str(file.previous)
        history.files[path] = lines = array("I")
        for sha, start, count in _written(git, commit, path, file.hunks):
            if sha not in positions:
                positions[sha] = len(history.numbers)
                history.numbers.append(numbers.get(sha) or push_number(sha))
            end = start - 1 + count
            lines.extend([0] * (end - len(lines)))
            lines[start - 1 : end] = array("I", [positions[sha]]) * count
    return history


def _written(git: Git, commit: str, path: str, hunks: list[Hunk]) -> Iterator[tuple[str, int, int]]:
    """(commit, first line, number of lines) of the touched lines; nothing if it cannot be told."""
    ranges = [f"-L{start},+{count}" for start, count in map(_touched, hunks)]
    if len(ranges) > _MOST_RANGES:
        return
    for name in dict.fromkeys((path, _as_in_git(path))):
        answer = git.ask(*_BLAME, *ranges, commit, "--", name) or ""
        for sha, start, count in _BLAMED.findall(answer):
            yield sha, int(start), int(count)


def _as_in_git(path: str) -> str:
    """The path of which some bytes are no UTF-8, and stand as \\xNN in records."""
    name = _BYTE.sub(lambda match: bytes.fromhex(match[1].decode()), os.fsencode(path))
    return os.fsdecode(name)


def _touched(hunk: Hunk) -> tuple[int, int]:
    """The removed lines, or those before and after an insertion: first line, number."""
    if hunk.removed:
        return hunk.old_start, hunk.removed
    return max(hunk.old_start, 1), 2 if hunk.old_start else 1


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
