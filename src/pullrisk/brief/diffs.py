"""What a brief asks of a clone, if one is at hand."""

from collections.abc import Sequence
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
