"""The questions that the network answers of every pull, and what their answers come to."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Question = Literal["repair", "revert"]
Answer = Literal["risk", "repair", "revert"]
"""An output of the graph: `risk` is the probability of either."""
QUESTIONS: Final[tuple[Question, ...]] = ("repair", "revert")
"""`repair`: a fix rewrites code lines of it soon; `revert`: it is reverted as a whole soon."""


def either(probabilities: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The probability of any of the `known` [2] outcomes, from that of each [2, n], [n].

    As if they were independent: 1 - (1 - p)(1 - q). docs/train.md tells how well that is met.
    """
    asked = probabilities * known[:, None]
    return np.asarray(asked.sum(axis=0) - asked.prod(axis=0))
