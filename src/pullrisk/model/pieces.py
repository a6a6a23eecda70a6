"""Piecewise-linear inputs: a value as the share of each interval that lies below it.

Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning"
(NeurIPS 2022). A network that reads a value alone bends slowly where a tree cuts at once; cut at
the quantiles of what it learns from, every stretch of the value has a weight of its own.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROWS: Final = 50_000
"""Rows that quantiles are measured on, evenly taken of more."""


def measure(z: NDArray[np.float32], pieces: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Start and 1 ÷ width of the intervals of each input, [d, pieces], from scaled rows [n, d].

    An input of few values has an interval between any two neighbours; intervals that an input
    does not need, and all of one with two values or fewer, have 1 ÷ width 0 and say nothing.
    """
    start = np.zeros((z.shape[1], pieces), np.float32)
    steepness = np.zeros_like(start)
    for column, values in enumerate(z[:: max(1, len(z) // _ROWS)].T):
        edges = _edges(values, pieces)
        count = len(edges) - 1
        if count < 2:  # a flag is straight already
            continue
        start[column, :count] = edges[:-1]
        steepness[column, :count] = 1 / np.diff(edges)
    return start, steepness


def _edges(values: NDArray[np.float32], pieces: int) -> NDArray[np.float32]:
    distinct = np.unique(values)
    if len(distinct) <= pieces:
        return distinct
    shares = np.linspace(0, 1, pieces + 1)
    return np.unique(np.quantile(values, shares, method="inverted_cdf"))
