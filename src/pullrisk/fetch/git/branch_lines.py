"""What the commits of a branch did to lines, and whose lines they were, read along with them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from pullrisk.errors import InputError
from pullrisk.fetch.git.line_history import FileOrigins, LineHistory
from pullrisk.fetch.git.patches import FilePatch, Patch, read_patches
from pullrisk.fetch.git.program import Git
from pullrisk.fetch.git.saved_lines import DamagedLinesError, SavedLines
from pullrisk.progress import Progress
from pullrisk.pulls.record import ChangedFile, Pull, push_number

_STEP: Final = 1_000
"""Commits after which progress is reported."""


class CommitLines(msgspec.Struct, frozen=True):
    """What a commit did to lines, beside the history that knows their origins.

    `history` is None for a commit off the branch's own line, whose origins are not known.
    """

    history: LineHistory | None
    patch: Patch
    touched: list[FileOrigins] = []

    def add_to(self, pull: Pull) -> Pull:
        """The record of what the commit merged, with its lines and the code lines of its files."""
        if self.patch.is_unknown:
            return pull
        files = pull.files
        if files is not None:
            code = {file.name: _code_lines(file) for file in self.patch.files if file.counted}
            files = tuple(_with_code(file, code) for file in files)
        places = {file.path: place for place, file in enumerate(files or ())}
        lines = self.patch.counts
        if self.history is not None:
            lines = self.history.origins(self.touched, places, lines)
        return replace(pull, files=files, lines=lines)


def _code_lines(file: FilePatch) -> tuple[int, int]:
    added = sum(hunk.added_code for hunk in file.hunks)
    return added, sum(sum(hunk.code) for hunk in file.hunks)


def _with_code(file: ChangedFile, code: Mapping[str, tuple[int, int]]) -> ChangedFile:
    counts = code.get(file.path)
    if counts is None:
        return file
    return replace(file, code_added=counts[0], code_removed=counts[1])


class BranchLines:
    """Reads the lines of a stretch of a branch, commit by commit, from the oldest.

    `note` says what went wrong that a user should know, None if nothing did.
    """

    def __init__(self, git: Git, folder: Path | None) -> None:
        self._git = git
        self._saved = None if folder is None else SavedLines(folder)
        self._history = LineHistory()
        self._patches: Iterator[Patch] = iter(())
        self._nested: Iterator[Patch] = iter(())
        self.note: str | None = None

    def start(
        self,
        behind: str | None,
        shas: Sequence[str],
        *,
        nested: Sequence[str],
        numbers: Callable[[], Mapping[str, int]],
        progress: Progress,
    ) -> None:
        """Get ready to read the commits `shas` of the branch, whose first follows on `behind`.

        `nested` are pulls off its line, merged by other merges than the branch's own. Lines that
        were not saved at `behind` are read from the branch's first commit on (None: there is
        nothing behind); only then `numbers` is asked for those of the pulls, by the commit that
        merged each.
        """
        history = LineHistory() if behind is None else self._load(behind)
        if history is None:
            history = self._read_again(str(behind), numbers(), progress)
        self._history = history
        self._patches = read_patches(self._git, shas)
        self._nested = read_patches(self._git, nested)

    def _load(self, commit: str) -> LineHistory | None:
        if self._saved is None:
            return None
        try:
            return self._saved.load(commit)
        except DamagedLinesError as error:
            self.note = f"{error}; who wrote the lines was read from the clone again"
            return None

    def _read_again(
        self, commit: str, numbers: Mapping[str, int], progress: Progress
    ) -> LineHistory:
        history = LineHistory()
        shas = (
            self._git.ask("rev-list", "--first-parent", "--reverse", commit, "--") or ""
        ).split()
        with progress.task("lines written before", total=len(shas), unit="commits") as task:
            for count, patch in enumerate(read_patches(self._git, shas), 1):
                history.observe(patch, numbers.get(patch.sha) or push_number(patch.sha))
                if count % _STEP == 0:
                    task.advance(_STEP)
        return history

    def read(self, sha: str, number: int) -> CommitLines:
        """What the branch's next commit did; its lines are of `number`. Raises InputError."""
        patch = self._next(self._patches, sha)
        return CommitLines(self._history, patch, self._history.observe(patch, number))

    def read_nested(self, sha: str) -> CommitLines:
        """What the next of the nested pulls did. Raises InputError."""
        return CommitLines(None, self._next(self._nested, sha))

    def _next(self, patches: Iterator[Patch], sha: str) -> Patch:
        patch = next(patches, None)
        if patch is None or patch.sha != sha:
            raise InputError(
                f"{self._git.path}: git log gave another commit than {sha}",
                hint="was the clone changed meanwhile? run the command again",
            )
        return patch

    def save(self, commit: str) -> None:
        """Save the lines at the commit, before a checkpoint names it."""
        if self._saved is None:
            return
        try:
            self._saved.save(self._history, commit)
        except OSError as error:
            self._saved = None
            self.note = f"who wrote the lines could not be saved, and is read again: {error}"

    def keep_only(self, commit: str) -> None:
        """Delete what was saved of other commits, after a checkpoint has named this one."""
        if self._saved is not None:
            self._saved.keep_only(commit)
