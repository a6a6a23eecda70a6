"""How raw features become network inputs, scaled and cut piecewise; the same in numpy and ONNX."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pullrisk.arrays import Bools, Float32, Float64
from pullrisk.features.schema import Feature

CLIP: Final = 5.0
"""Standard deviations at which an input is cut, so that no single value decides a score."""
_LEAST_SPREAD: Final = 1e-6
_LEAST_KNOWN: Final = 0.02
"""A feature that a smaller share of the rows knows is unknown to the model."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Signed log1p where `logarithmic`, then (value - mean) ÷ spread, cut at ±CLIP; all [d].

    An unknown value (NaN) stays unknown. So does every value of a feature whose spread is NaN: one
    that hardly any row of the training knew, or that all of them had the same, of which the network
    has learnt nothing. Counted as novel, the first agent's pull would be the oddest of all.
    """

    logarithmic: Bools
    mean: Float32
    spread: Float32

    @classmethod
    def fit(cls, x: Float32, features: Sequence[Feature]) -> "Scaling":
        """Measure mean and spread on raw rows [n, d]."""
        logarithmic = np.array([feature.scale == "log" for feature in features], bool)
        values = _compress(x, logarithmic)
        known = ~np.isnan(values)
        mean, variance = known_moments(values)
        spread = np.sqrt(variance)
        spread[spread < _LEAST_SPREAD] = np.nan
        spread[known.mean(axis=0) < _LEAST_KNOWN] = np.nan
        return cls(logarithmic, mean.astype(np.float32), spread.astype(np.float32))

    def apply(self, x: Float32) -> Float32:
        """Raw rows [n, d] as network inputs [n, d]."""
        z = _compress(x, self.logarithmic)
        z -= self.mean
        z /= self.spread
        return np.clip(z, -CLIP, CLIP, out=z)


def known_moments(values: Float32) -> tuple[Float64, Float64]:
    """Mean and variance of the known values of each column [n, d]; 0 where there is none, [d]."""
    known = ~np.isnan(values)
    count = np.maximum(1, known.sum(axis=0))
    mean = np.sum(values, axis=0, dtype=np.float64, where=known) / count
    squares = np.square(values - mean.astype(np.float32), dtype=np.float64)
    return mean, np.sum(squares, axis=0, where=known) / count


def _compress(x: Float32, logarithmic: Bools) -> Float32:
    values = np.array(x, np.float32)
    part = values[:, logarithmic]
    values[:, logarithmic] = np.sign(part) * np.log1p(np.abs(part))
    return values


_QUANTILE_ROWS: Final = 50_000
"""Rows that quantiles are measured on, evenly taken of more."""


def piecewise_linear(z: Float32, pieces: int) -> tuple[Float32, Float32]:
    """Start and 1 ÷ width of the intervals of each input, [d, pieces], from scaled rows [n, d].

    A network that reads a value alone bends slowly where a tree cuts at once; cut at the quantiles
    of what it learns from, every stretch of the value has a weight of its own: the share of the
    interval that lies below the value (Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical
    Features in Tabular Deep Learning", NeurIPS 2022).

    An input of few values has an interval between any two neighbours; intervals that an input
    does not need, and all of one with two values or fewer, have 1 ÷ width 0 and say nothing.
    """
    start = np.zeros((z.shape[1], pieces), np.float32)
    steepness = np.zeros_like(start)
    for column, values in enumerate(z[:: max(1, len(z) // _QUANTILE_ROWS)].T):
        edges = _edges(values, pieces)
        count = len(edges) - 1
        if count < 2:  # a flag is straight already
            continue
        start[column, :count] = edges[:-1]
        steepness[column, :count] = 1 / np.diff(edges)
    return start, steepness


def _edges(values: Float32, pieces: int) -> Float32:
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) <= pieces:
        return distinct
    shares = np.linspace(0, 1, pieces + 1)
    return np.unique(np.nanquantile(values, shares, method="inverted_cdf"))
