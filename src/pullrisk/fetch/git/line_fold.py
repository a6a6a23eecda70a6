"""The lines of a branch and of the lines of history that it took pulls from, commit by commit.

A pull may have been merged into another branch that the branch then merged: a release branch, or
one that gathers a feature. Its lines are folded along that line of history, from a fork of the
lines at the commit where it began, so that what it rewrites and what is rewritten of it have
their origins too.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from typing import Final

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.git.line_history import CommitLines, LineHistory
from pullrisk.fetch.git.patches import Patch, read_patches
from pullrisk.fetch.git.program import Git
from pullrisk.pulls.record import push_number

MOST_TIPS: Final = 8
"""Lines of history whose last lines are kept, because a later merge may bring more of them."""
MOST_FILES: Final = 1_000_000
"""Files of all forks that are kept at once for merges; what those of others merge is theirs."""


class Stretch(msgspec.Struct, frozen=True):
    """Commits of a branch, oldest first: `brought_by` is as in BranchGraph.

    `pulls` are the commits that merged pulls, `numbers` the pull of each commit that is one's;
    `recorded` are those that become a record, whose lines are counted by kind.
    """

    brought_by: Mapping[str, str | None]
    parents: Mapping[str, tuple[str, ...]]
    pulls: Collection[str]
    numbers: Mapping[str, int]
    recorded: Set[str] = frozenset()

    def number(self, sha: str) -> int:
        """Whose the commit's lines are: of the innermost pull, else of the branch's own commit."""
        while sha not in self.numbers:
            merge = self.brought_by[sha]
            if merge is None:
                return push_number(sha)
            sha = merge
        return self.numbers[sha]

    def sides(self, needed: Iterable[str] = ()) -> list[str]:
        """The commits beside the branch's own line that are folded, oldest first.

        They are the lines of history on which a pull or a `needed` commit lies, with those into
        which one of these was merged and from which it began.
        """
        lines = self._brought((*self.pulls, *needed))
        while True:
            sides = [sha for sha, merge in self.brought_by.items() if merge in lines]
            begun = [parent for sha in sides for parent in self.parents[sha][:1]]
            further = self._brought((*lines, *begun)) - lines
            if not further:
                return sides
            lines |= further

    def _brought(self, shas: Iterable[str]) -> set[str]:
        return {merge for sha in shas if (merge := self.brought_by.get(sha)) is not None}

    def behind(self, sides: Iterable[str]) -> set[str]:
        """The commits before the stretch from which these began, or which they merged."""
        parents = {parent for sha in sides for parent in self.parents[sha]}
        return parents - self.brought_by.keys()


class BranchState(msgspec.Struct):
    """The lines at a commit of the branch, and at those beside it that may be gone on from."""

    line: LineHistory = msgspec.field(default_factory=LineHistory)
    sides: dict[str, LineHistory] = {}


class LineFold:
    """Reads a stretch, commit by commit, and moves `state` on, which is that behind its first.

    `needed` are commits of it whose lines are asked for later.
    """

    def __init__(
        self, git: Git, stretch: Stretch, state: BranchState, *, needed: Collection[str] = ()
    ) -> None:
        self.state = state
        self._git, self._stretch = git, stretch
        sides = stretch.sides(needed)
        self._sides = frozenset(sides)
        # How often a commit's lines are still asked for, and from which of them lines begin.
        self._uses = Counter(parent for sha in sides for parent in stretch.parents[sha])
        self._uses.update(needed)
        self._begun = {parent for sha in sides for parent in stretch.parents[sha][:1]}
        shas = [sha for sha in stretch.brought_by if self.reads(sha)]
        self._recorded = read_patches(git, [sha for sha in shas if sha in stretch.recorded])
        others = [sha for sha in shas if sha not in stretch.recorded]
        self._others = read_patches(git, others, only_moves=True)
        first = next(sha for sha, merge in stretch.brought_by.items() if merge is None)
        for sha in stretch.parents[first][:1]:
            self._keep(sha, state.line)

    def reads(self, sha: str) -> bool:
        """Whether the commit's lines are folded: it is of the branch's own line, or beside it."""
        return self._stretch.brought_by[sha] is None or sha in self._sides

    def read(self, sha: str) -> CommitLines:
        """What the next commit did to lines. Raises InputError."""
        first, *others = self._stretch.parents[sha] or (None,)
        merged = [self.state.sides[other] for other in others if other in self.state.sides]
        patch = self._next(sha)
        if sha in self._sides:
            lines = self.state.sides[sha] = self._fork(first)
        else:
            lines = self.state.line
        touched = lines.observe(patch, self._stretch.number(sha), merged)
        if sha in self._sides:
            for other in others:
                self._release(other)
        else:
            self._keep(sha, lines)
        return CommitLines(lines, patch, touched)

    def _keep(self, sha: str, lines: LineHistory) -> None:
        """Keep the lines of the branch at a commit from which others begin."""
        sides = self.state.sides
        tips = [tip for tip in sides if not self._uses[tip]]
        for oldest in tips[:-MOST_TIPS]:
            del sides[oldest]
        if self._uses[sha]:
            sides[sha] = lines.fork()
            files = sum([len(side.files) for side in sides.values()])
            for oldest in [merged for merged in sides if merged not in self._begun]:
                if files > MOST_FILES:
                    files -= len(sides.pop(oldest).files)

    def _fork(self, sha: str | None) -> LineHistory:
        """The lines at a commit, to move on: unknown ones if they are not kept."""
        if sha is None:
            return LineHistory(self.state.line.numbers)
        lines = self.state.sides.get(sha)
        if lines is None:
            lines = LineHistory(self.state.line.numbers)
        elif self._uses[sha] > 1:
            lines = lines.fork()
        self._release(sha)
        return lines

    def _release(self, sha: str) -> None:
        """Forget the lines at a commit that nothing more begins from."""
        if sha in self._uses:
            self._uses[sha] -= 1
            if not self._uses[sha]:
                self.state.sides.pop(sha, None)

    def _next(self, sha: str) -> Patch:
        is_recorded = sha in self._stretch.recorded
        patch = next(self._recorded if is_recorded else self._others, None)
        if patch is None or patch.sha != sha:
            raise InputError(
                f"{self._git.path}: git log gave another commit than {sha}",
                hint="was the clone changed meanwhile? run the command again",
            )
        return patch
