"""The category in a pull's answer: what the pull states, or else what the network tells."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.pull_text import PullText
from pullrisk.model.categories import labelled, stated

Source = Literal["title", "labels", "network"]


class Category(msgspec.Struct, frozen=True):
    """What kind of work a pull is, and the probability that the network gives it.

    `source` is what says so: the title's prefix, the labels, or the network, which sees neither.
    A low probability of a category from the title is a title that does not fit the change.
    """

    name: str
    probability: float
    source: Source


def answers(
    names: Sequence[str], probabilities: NDArray[np.float32], said: Sequence[PullText]
) -> list[Category]:
    """Every pull's category, from probabilities [n, k] of the categories `names` [k]."""
    return [_answer(names, row, one) for row, one in zip(probabilities.tolist(), said, strict=True)]


def _answer(names: Sequence[str], row: list[float], said: PullText) -> Category:
    source: Source = "title"
    name = stated(said.title).category
    if name is None:
        source, name = "labels", labelled(said.labels) if said.labels else None
    if name is None or name not in names:
        highest = max(row)
        return Category(names[row.index(highest)], highest, "network")
    return Category(name, row[names.index(name)], source)
