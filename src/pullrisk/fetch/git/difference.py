"""What a pull changes, merged or open, as a clone has it: its patch, and where that begins."""

from collections.abc import Iterator, Sequence

import msgspec

from pullrisk.fetch.git.open_pulls import base_branches, head_of
from pullrisk.fetch.git.patches import FilePatch, Hunk, Patch, list_difference, read_difference
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.record import Pull


class Difference(msgspec.Struct, frozen=True):
    """The patch from the commit `start` to `head`."""

    start: str
    head: str
    patch: Patch

    def file(self, path: str) -> FilePatch | None:
        """What it does to the file that has this path afterwards; None if it leaves it alone."""
        return next((file for file in self.patch.files if file.path == path), None)

    def changed(self, path: str) -> FilePatch | None:
        """What it does to a file that has this path afterwards, or had it and is removed."""
        return next((file for file in self.patch.files if file.name == path), None)


def open_difference(git: Git, pull: Pull, base: str) -> Difference | None:
    """From where an open pull left its branch to its head; None if the clone lacks something.

    Where a partial clone lacks the contents of its files, it has only their names. `base` is the
    branch's commit that the history was read from. Raises InputError if git's output is not
    understood.
    """
    head = head_of(git, pull)
    if head is None or pull.head_sha not in (None, head):
        return None  # it may have only an earlier state of the pull than its source
    start = git.ask("merge-base", next(iter(base_branches(git, pull)), base), head)
    # A head that the base has already is not that of an open pull: an old branch of its name.
    if start is None or start == head:
        return None
    whole = difference_of(git, start, head)
    names = list_difference(git, start, head) if whole is None and git.is_partial() else None
    return whole if names is None else Difference(start, head, names)


def merged_difference(git: Git, pull: Pull) -> Difference | None:
    """What the commit that merged a pull changed, from its first parent.

    None if that is not all of the pull: one whose commits were rebased has others before it.
    Raises InputError if git's output is not understood.
    """
    if pull.merge_sha is None or git.is_partial():
        return None
    start = git.commit(f"{pull.merge_sha}^1")
    difference = None if start is None else difference_of(git, start, pull.merge_sha)
    if difference is None:
        return None
    changed = {file.name for file in difference.patch.files}
    return difference if all(file.path in changed for file in pull.files or ()) else None


def difference_of(git: Git, start: str, head: str, paths: Sequence[str] = ()) -> Difference | None:
    """What a commit has changed from another, in these files if some are named.

    None if some of it cannot be read.
    """
    patch = read_difference(git, start, head, paths)
    return None if patch is None else Difference(start, head, patch)


def shared_lines(git: Git, ours: Difference, theirs: Difference, path: str) -> bool:
    """Whether both change the same lines of the file `path`, or insert at the same place.

    Who removes the file changes all of its lines.

    Raises InputError if git's output is not understood.
    """
    own, other = ours.changed(path), theirs.changed(path)
    if own is None or other is None or not own.hunks or not other.hunks:
        return False
    if own.previous is None or own.previous != other.previous:
        return own.previous is None and other.previous is None
    # Both number the lines by where they began, which are two states of the file.
    between = difference_of(git, ours.start, theirs.start, [own.previous])
    if between is None:
        return False
    moved = next((file for file in between.patch.files if file.previous == own.previous), None)
    if moved is not None and moved.path != other.previous:
        return False
    spans = [_shifted(span, moved.hunks if moved else []) for span in _spans(own.hunks)]
    return any(
        first <= end and start <= last
        for first, last in spans
        for start, end in _spans(other.hunks)
    )


def _spans(hunks: list[Hunk]) -> Iterator[tuple[int, int]]:
    """First and last of the old lines; an insertion is the line that it follows."""
    for hunk in hunks:
        yield hunk.old_start, hunk.old_start + max(hunk.removed - 1, 0)


def _shifted(span: tuple[int, int], hunks: list[Hunk]) -> tuple[int, int]:
    """The same lines after the hunks."""
    by = sum(hunk.added - hunk.removed for hunk in hunks if hunk.old_start < span[0])
    return span[0] + by, span[1] + by
