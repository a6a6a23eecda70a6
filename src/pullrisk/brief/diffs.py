"""What a brief asks about lines and branches, of a clone or of whoever knows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pullrisk.pulls.hunks import ChangedHunk, UnmergedWork
from pullrisk.pulls.record import Pull


class Diffs(Protocol):
    """Reads pulls' own changes line by line, and those of branches."""

    def hunks(self, pull: Pull, path: str) -> Sequence[ChangedHunk]:
        """The hunks of one file of the pull, in order; empty if the clone does not tell."""
        ...

    def unmerged(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        """The branches that were not merged at the moment and change files of the pull."""
        ...


class KnownHunks:
    """The hunks of one pull by path, where somebody told them who knows of no branches."""

    def __init__(self, hunks: Mapping[str, Sequence[ChangedHunk]]) -> None:
        self._hunks = hunks

    def hunks(self, pull: Pull, path: str) -> Sequence[ChangedHunk]:
        """The hunks of one file of the pull, in order."""
        return self._hunks.get(path, ())

    def unmerged(self, pull: Pull, moment: datetime) -> Sequence[UnmergedWork]:
        """None."""
        return ()
