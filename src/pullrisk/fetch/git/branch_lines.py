"""What the commits of a branch did to lines, and whose lines they were, read along with them."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from pullrisk.fetch.git.graph import arrange_commits
from pullrisk.fetch.git.line_fold import BranchState, LineFold, Stretch
from pullrisk.fetch.git.line_history import CommitLines
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.saved_lines import DamagedLinesError, SavedLines
from pullrisk.progress import Progress

_STEP: Final = 1_000
"""Commits after which progress is reported."""


class BranchLines:
    """Reads the lines of a stretch of a branch, commit by commit, from the oldest.

    `note` says what went wrong that a user should know, None if nothing did.
    """

    def __init__(self, git: Git, folder: Path | None) -> None:
        self._git = git
        self._saved = None if folder is None else SavedLines(folder)
        self._fold: LineFold
        self.note: str | None = None

    def start(
        self,
        behind: str | None,
        stretch: Stretch,
        *,
        numbers: Callable[[], Mapping[str, int]],
        progress: Progress,
    ) -> None:
        """Get ready to read the stretch, whose first commit follows on `behind`.

        Lines that were not saved there, or of a commit before it from which a line of history
        began, are read from the branch's first commit on (`behind` None: there is nothing before);
        only then `numbers` is asked for those of the pulls, by the commit that merged each.
        """
        state = BranchState() if behind is None else self._load(behind)
        if behind is not None:
            needed = stretch.behind(stretch.sides()) - {behind}
            if state is None or not needed <= state.sides.keys():
                state = self._read_again(behind, numbers(), needed, progress)
        self._fold = LineFold(self._git, stretch, state or BranchState())

    def _load(self, commit: str) -> BranchState | None:
        if self._saved is None:
            return None
        try:
            return self._saved.load(commit)
        except DamagedLinesError as error:
            self.note = f"{error}; who wrote the lines was read from the clone again"
            return None

    def _read_again(
        self,
        commit: str,
        numbers: Mapping[str, int],
        needed: Collection[str],
        progress: Progress,
    ) -> BranchState:
        listed = self._git.ask("rev-list", "--parents", "--topo-order", commit, "--") or ""
        parents = {sha: tuple(rest) for sha, *rest in map(str.split, listed.splitlines())}
        brought_by = arrange_commits(parents, commit).brought_by
        pulls = [sha for sha in brought_by if sha in numbers]
        stretch = Stretch(brought_by, parents, pulls, numbers)
        fold = LineFold(self._git, stretch, BranchState(), needed=needed)
        shas = [sha for sha in brought_by if fold.reads(sha)]
        with progress.task("lines written before", total=len(shas), unit="commits") as task:
            for count, sha in enumerate(shas, 1):
                fold.read(sha)
                if count % _STEP == 0:
                    task.advance(_STEP)
        return fold.state

    def read(self, sha: str) -> CommitLines | None:
        """What the next commit did; None if its lines are not read. Raises InputError."""
        return self._fold.read(sha) if self._fold.reads(sha) else None

    def save(self, commit: str, *, is_last: bool) -> None:
        """Save the lines at the commit, before a checkpoint names it.

        Those beside the branch are large: they are saved with its last commit alone.
        """
        if self._saved is None:
            return
        state = self._fold.state
        try:
            self._saved.save(state if is_last else BranchState(state.line), commit)
        except OSError as error:
            self._saved = None
            self.note = f"who wrote the lines could not be saved, and is read again: {error}"

    def keep_only(self, commit: str) -> None:
        """Delete what was saved of other commits, after a checkpoint has named this one."""
        if self._saved is not None:
            self._saved.keep_only(commit)
