"""What training hides of its rows, so that a model is right for sources that know less.

A model that has only seen pulls of which everything was known, or the same things were always
unknown, has never learnt what a gap means. So in every batch some rows are told as a clone would
tell them, and some lack single facts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32, Float64
from pullrisk.features.knowledge import FACTS, needing

_SQUASHED: Final = ("opening", "description", "closed", "fork", "commits")
"""What a clone of a repository that squashes does not know."""
_MERGED: Final = ("opening", "description", "closed")
"""What it does not know of a pull that was merged with its commits."""
_LISTED: Final = ("code", "repairs")
"""What GitHub alone does not know: whose lines a change rewrites, and so what was repaired."""


class Masking(msgspec.Struct, frozen=True):
    """Shares of the rows of a batch: told as by a clone (half of them as squashed), as by GitHub
    alone, without the author's record, and without each other fact.
    """

    clone: float = 0.3
    listed: float = 0.1
    author: float = 0.3
    fact: float = 0.05


@dataclass(frozen=True, slots=True)
class Masks:
    """Patterns of what is hidden together [p, d], and the share of rows that each hides [p]."""

    hidden: Float32
    rates: Float64

    @classmethod
    def of(cls, names: Sequence[str], masking: Masking) -> "Masks":
        """The patterns for features `names` [d]; those that would hide nothing are left out."""
        rates = {fact: masking.author if fact == "author" else masking.fact for fact in FACTS}
        pairs = [
            (needing(_SQUASHED, names), masking.clone / 2),
            (needing(_MERGED, names), masking.clone / 2),
            (needing(_LISTED, names), masking.listed),
            *((needing([fact], names), rate) for fact, rate in rates.items()),
        ]
        chosen = [(hidden, rate) for hidden, rate in pairs if rate and hidden.any()]
        return cls(
            np.array([hidden for hidden, _ in chosen], np.float32).reshape(-1, len(names)),
            np.array([rate for _, rate in chosen]),
        )

    def draw(self, random: np.random.Generator, rows: int) -> Bools:
        """What to hide of so many rows, [rows, d]."""
        chosen = random.random((rows, len(self.rates))) < self.rates
        return np.asarray(chosen.astype(np.float32) @ self.hidden > 0)


NO_MASKS: Final = Masks(np.zeros((0, 0), np.float32), np.zeros(0))
