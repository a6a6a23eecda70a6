"""What is folded of repositories: in the lake, or of one clone in plain files of a folder."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.features.replay import replay
from pullrisk.progress import Progress, Task
from pullrisk.pulls.consumed import ConsumedPulls
from pullrisk.pulls.record import Pull
from pullrisk.pulls.store import PullStore

FORM: Final = 1
"""Of the files of `FoldedFolder`, and of what a history remembers in them."""
BLOCK_ROWS: Final = 512
_RUN: Final = 1


class Folded(Protocol):
    """Histories of repositories, and rows of features of their merged pulls."""

    def exists(self) -> bool:
        """Whether anything was ever folded."""

    def current_run(self, repository: str) -> int | None:
        """The run that last wrote the repository's history; None if there is none."""

    def history(self, repository: str) -> bytes | None:
        """The repository's saved history; None if there is none. Raises LakeError."""

    def rows(
        self, repository: str, numbers: Collection[int] | None = None
    ) -> tuple[list[int], NDArray[np.float32]]:
        """Numbers and rows of features [n, d] of the repository's merged pulls, in their order.

        Of only the pulls with these `numbers` if they are given. Raises LakeError.
        """


class FoldedFolder:
    """One repository, folded into a folder that one process at a time writes.

    history    `RepositoryHistory.save`
    consumed   `ConsumedPulls.encode`: which events the history has consumed
    numbers    int64 [n]: the merged pulls
    rows       float32 [n, d]: what was known of each just before its merge

    A fold that is cut off leaves files that do not fit together; whoever keeps the folder
    throws it away then.
    """

    def __init__(self, folder: Path, repository: str) -> None:
        self.folder, self.repository = folder, repository

    def exists(self) -> bool:
        """Whether anything was ever folded."""
        return (self.folder / "consumed").exists()

    def current_run(self, repository: str) -> int | None:
        """A number if this is the repository that was folded, else None."""
        return _RUN if repository == self.repository and self.exists() else None

    def history(self, repository: str) -> bytes | None:
        """The saved history; None of another repository."""
        if self.current_run(repository) is None:
            return None
        return (self.folder / "history").read_bytes()

    def rows(
        self, repository: str, numbers: Collection[int] | None = None
    ) -> tuple[list[int], NDArray[np.float32]]:
        """Numbers and rows of features [n, d] of the merged pulls, the earliest first."""
        if self.current_run(repository) is None:
            return [], np.empty((0, len(NAMES)), np.float32)
        known = np.fromfile(self.folder / "numbers", np.int64)
        rows = np.fromfile(self.folder / "rows", np.float32).reshape(len(known), len(NAMES))
        if numbers is not None:
            chosen = np.isin(known, list(numbers))
            known, rows = known[chosen], rows[chosen]
        return known.tolist(), rows

    def fold(self, store: PullStore, progress: Progress) -> None:
        """Fold what is new in the store; everything anew if not all of that comes later."""
        pulls = store.fingerprints(self.repository)
        if not pulls:
            return
        history, consumed, new = self._begin(store, pulls)
        if not new:
            return
        events = store.events(self.repository, numbers=new if consumed.pulls else None)
        self.folder.mkdir(exist_ok=True)
        mode = "ab" if consumed.pulls else "wb"
        with (
            (self.folder / "numbers").open(mode) as numbers,
            (self.folder / "rows").open(mode) as rows,
            progress.task("Replaying history", total=len(new), unit="events") as task,
        ):
            for block in replay(history, _counted(events, task), block_rows=BLOCK_ROWS):
                numbers.write(np.array(block.numbers, np.int64).tobytes())
                rows.write(block.matrix.tobytes())
        (self.folder / "history").write_bytes(history.save())
        whole = ConsumedPulls(consumed.pulls | new, history.as_of)
        (self.folder / "consumed").write_bytes(whole.encode())

    def _begin(
        self, store: PullStore, pulls: dict[int, int]
    ) -> tuple[RepositoryHistory, ConsumedPulls, dict[int, int]]:
        """The history to go on with, what it has consumed, and the pulls that it has not."""
        with suppress(OSError, ValueError):  # none yet, or of another form
            consumed = ConsumedPulls.decode((self.folder / "consumed").read_bytes())
            history = RepositoryHistory.load((self.folder / "history").read_bytes())
            rest = consumed.rest(store, self.repository, pulls)
            if not isinstance(rest, str):
                return history, consumed, rest
        return RepositoryHistory(self.repository), ConsumedPulls({}), pulls


def _counted(events: Iterator[Pull], task: Task) -> Iterator[Pull]:
    """The events; of every so many the task is told."""
    waiting = 0
    for pull in events:
        yield pull
        waiting += 1
        if waiting == BLOCK_ROWS:
            task.advance(waiting)
            waiting = 0
    task.advance(waiting)
