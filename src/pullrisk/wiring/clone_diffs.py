"""What a brief asks of a clone: the hunks of a pull, and the branches beside it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from pullrisk.fetch.git.branches import Branch, UnmergedBranches, has_landed, is_related
from pullrisk.fetch.git.difference import (
    Difference,
    difference_of,
    merged_difference,
    open_difference,
    shared_lines,
)
from pullrisk.fetch.git.open_lines import hunks_of
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.lines import ChangedHunk, UnmergedWork
from pullrisk.pulls.record import Pull

_FRESH: Final = timedelta(days=90)
"""After so long without a commit nobody works on a branch any more."""
_MOST_COMPARED: Final = 20
"""Branches that are compared line by line."""


class CloneDiffs:
    """Reads the changes of a clone's pulls, merged and open, and of its unmerged branches.

    `base` is the commit that the history was read from; `numbers` gives the pulls and pushes by
    the commit that merged each. Without `branches` none is looked at.
    """

    def __init__(
        self, git: Git, *, base: str, numbers: Callable[[], Mapping[str, int]], branches: bool
    ) -> None:
        self._git, self._base, self._numbers, self._branches = git, base, numbers, branches
        self._unmerged = UnmergedBranches(git, base)
        self._last: tuple[Pull, Difference | None] | None = None

    def hunks(self, pull: Pull, path: str) -> Sequence[ChangedHunk]:
        """The hunks of one file of the pull, in order; empty if the clone does not tell."""
        difference = self._difference(pull)
        if difference is None:
            return ()
        return hunks_of(self._git, difference, path, self._numbers())

    def unmerged(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        """The branches that were not merged at the moment and change files of the pull."""
        if not self._branches or not pull.files:
            return ()
        return [self._work(pull, *each) for each in self._beside(pull, moment)]

    def _beside(self, pull: Pull, moment: datetime) -> Iterator[tuple[Branch, frozenset[str]]]:
        """The branches with the paths of the pull that they change, the latest first."""
        ours = self._difference(pull)
        pull_paths = frozenset(file.path for file in pull.files or ())
        compared = 0
        for branch in self._unmerged.between(moment - _FRESH, moment):
            paths = pull_paths & self._unmerged.paths(branch)
            if not paths or self._unmerged.is_of_long_lived(branch):
                continue
            if has_landed(self._git, branch, self._base, paths):
                continue
            if ours is None or not is_related(self._git, self._base, branch, ours.head):
                yield branch, paths
                compared += 1
                if compared == _MOST_COMPARED:
                    return

    def _work(self, pull: Pull, branch: Branch, paths: frozenset[str]) -> UnmergedWork:
        ours, same = self._difference(pull), frozenset[str]()
        theirs = difference_of(self._git, branch.start, branch.head, sorted(paths))
        if theirs is not None and any(file.path is None for file in theirs.patch.files):
            theirs = difference_of(self._git, branch.start, branch.head)  # it may be renamed
        if ours is not None and theirs is not None:
            same = frozenset(
                path for path in paths if shared_lines(self._git, ours, theirs, path)
            )  # fmt: skip
        return UnmergedWork(
            title=branch.name,
            branch=branch.name,
            paths=paths,
            same_lines=same,
            since=branch.at,
        )

    def _difference(self, pull: Pull) -> Difference | None:
        """What the pull changes; kept until another one is asked for."""
        if self._last is None or self._last[0] is not pull:
            if pull.event_at is None:
                difference = open_difference(self._git, pull, self._base)
            else:
                difference = merged_difference(self._git, pull)
            self._last = pull, difference
        return self._last[1]
