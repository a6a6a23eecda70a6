"""The head that tells a pull's category, from the network's inputs and the tokens of its text.

    z [n, d] ── without the features of the raw title ──> · wide ─┐
    tokens [n, WIDTH] ── rows of `words`, added up ───────────────┴─ + bias ─> softmax [n, k]

The features of the raw title are left out because the prefix would show in them. The code is not
read: it added nothing to the inputs (docs/decisions/0027).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import Feature

HIDDEN_FAMILY: Final = "title"
"""Features of this family are computed from the raw title and body."""


@dataclass(frozen=True, slots=True)
class CategoryHead:
    """Weights of the k categories: of tokens [BUCKETS, k], of inputs [d, k], and k biases."""

    words: NDArray[np.float16]
    wide: NDArray[np.float32]
    bias: NDArray[np.float32]


def visible(features: Sequence[Feature]) -> NDArray[np.bool_]:
    """Which features the head may read, [d]."""
    return np.array([feature.family != HIDDEN_FAMILY for feature in features], bool)
