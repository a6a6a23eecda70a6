"""Replay of a repository's events: one feature row for every merged pull."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.history import FEATURES, ROW, RepositoryHistory
from pullrisk.features.pull_text import PullText, text_of
from pullrisk.pulls.outcomes import Link, is_undo
from pullrisk.pulls.record import Pull


class Block:
    """Rows of one repository in event order; every list and array has length n.

    `matrix` is float32 [n, features], `merged_at` µs since the epoch, `example` False for a
    pull that is itself a revert or a re-land, `links` what each pull says of earlier ones,
    `texts` what it says of itself in words.
    """

    def __init__(self, repository: str) -> None:
        self.repository = repository
        self.numbers: list[int] = []
        self.merged_at: list[datetime] = []
        self.authors: list[str | None] = []
        self.example: list[bool] = []
        self.links: list[tuple[Link, ...]] = []
        self.texts: list[PullText] = []
        self._values = bytearray()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def matrix(self) -> NDArray[np.float32]:
        """The feature values, float32 [n, features]."""
        return np.frombuffer(self._values, np.float32).reshape(len(self), len(FEATURES))

    def append(self, pull: Pull, row: list[float], links: tuple[Link, ...]) -> None:
        """Add the row of one merged pull."""
        if pull.merged_at is None:
            raise ValueError(f"{pull.repository}#{pull.number} is not merged")
        self._values += ROW.pack(*row)
        self.numbers.append(pull.number)
        self.merged_at.append(pull.merged_at)
        self.authors.append(pull.author)
        self.example.append(not is_undo(pull))
        self.links.append(links)
        self.texts.append(text_of(pull))


def replay(
    history: RepositoryHistory, events: Iterable[Pull], *, block_rows: int = 4096
) -> Iterator[Block]:
    """Fold `events` (a store's, in event order) into `history`, yielding its rows.

    Each row is as of just before its pull's merge; direct pushes have none. Blocks have at most
    `block_rows` rows; after the last one the history is that of the moment after the last event.
    """
    block = Block(history.repository)
    for pull in events:
        if pull.merged_at is None or pull.is_push:
            history.observe(pull)
            continue
        row = history.features(pull, as_of=pull.merged_at)
        block.append(pull, row, history.observe(pull))
        if len(block) == block_rows:
            yield block
            block = Block(history.repository)
    if len(block):
        yield block
