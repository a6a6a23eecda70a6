"""What features and scores looked like in training: the reference that drift is measured by.

For each repository, the counts of its latest training pulls in bins that all repositories
share, and how far its own earlier windows strayed from each other. The second is what makes an
alarm mean something: a feature that always wanders is not drifting when it wanders.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float32, Float64, Floats, Ints

SCORES: Final = ("risk", "novelty error")
"""The model's own answers, which are watched like features; they stand last."""
LATEST: Final = 2_000
"""How many of a repository's latest training pulls are its reference."""
WINDOW: Final = 200
"""Pulls of one window, when the windows of the reference are compared with each other."""
LEVELS: Final = np.linspace(0.0, 0.9, 10)
"""Quantiles at which bins end, the least value first."""
_USUAL: Final = 0.9
_ABSENT: Final = 0.5

Counts = Float64
"""How many pulls fell into each bin of each column, [columns, bins]."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Arrays as bytes, which JSON carries as base64: `edges` float32 [columns, bins - 1], and by
    repository `counts` uint16 [columns, bins] and `usual` float32 [columns], an index of stability.
    """

    columns: tuple[str, ...]
    edges: bytes
    counts: dict[str, bytes]
    usual: dict[str, bytes]

    @classmethod
    def of(
        cls, values: Floats, codes: Ints, repositories: Sequence[str], *, columns: Sequence[str]
    ) -> "Reference":
        """Measure values [n, columns] of pulls in event order within their repository."""
        latest = {
            name: values[codes == code][-LATEST:]
            for code, name in enumerate(repositories)
            if (codes == code).any()
        }
        edges = _edges(np.concatenate(list(latest.values())))
        return cls(
            columns=tuple(columns),
            edges=edges.tobytes(),
            counts={n: binned(v, edges).astype(np.uint16).tobytes() for n, v in latest.items()},
            usual={
                n: usual_index(v, edges).astype(np.float32).tobytes() for n, v in latest.items()
            },
        )

    @property
    def bins(self) -> Float32:
        """Where bins end, [columns, bins - 1]."""
        return np.frombuffer(self.edges, np.float32).reshape(len(self.columns), -1)

    def expected(self, repository: str) -> Counts:
        """The counts of a repository, or those of all where it is not known, [columns, bins]."""
        own = self.counts.get(repository)
        chosen = list(self.counts.values()) if own is None else [own]
        shape = (len(self.columns), len(LEVELS) + 1)
        parts = [np.frombuffer(part, np.uint16).reshape(shape) for part in chosen]
        return np.asarray(np.sum(parts, axis=0), np.float64)

    def usual_of(self, repository: str) -> Float64:
        """The index that the repository's own windows reach, else the median of all, [columns]."""
        own = self.usual.get(repository)
        chosen = list(self.usual.values()) if own is None else [own]
        parts = np.stack([np.frombuffer(part, np.float32) for part in chosen])
        return np.asarray(np.median(parts, axis=0), np.float64)


def binned(values: Floats, edges: Float32) -> Counts:
    """How many of the values [n, columns] fall into each bin; a bin holds its upper edge.

    A value that is unknown (NaN) falls into none.
    """
    bins = edges.shape[1] + 1
    counts = np.empty((len(edges), bins))
    for column, own in enumerate(edges):
        known = values[~np.isnan(values[:, column]), column].astype(np.float32)
        places = np.searchsorted(own, known, side="left")
        counts[column] = np.bincount(places, minlength=bins)
    return counts


def _edges(values: Floats) -> Float32:
    """Where bins end, from the known values of each column; zeros where there is none."""
    unknown = np.isnan(values).all(axis=0)
    edges = np.nanquantile(np.where(unknown, 0.0, values), LEVELS, axis=0).T
    return np.asarray(edges, np.float32)


def stability_index(expected: Counts, observed: Counts) -> Float64:
    """Population stability index of each column less what chance alone adds to it, [columns].

    Sum of (p - q) ln(p / q) over the bins, with half a pull added to each bin that either side
    uses; 0 where either has no known value. Of samples of n and m from one distribution it is on
    average (bins - 1) (1/n + 1/m) (Yurdakul 2018), which is taken off; never below 0.
    """
    used = (expected + observed) > 0
    p, q = (np.where(used, counts + _ABSENT, 0.0) for counts in (expected, observed))
    n, m = (np.maximum(1, part.sum(axis=1, keepdims=True)) for part in (p, q))
    p, q = p / n, q / m
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(used, (p - q) * np.log(p / q), 0.0)
    chance = (used.sum(axis=1) - 1) * (1 / n + 1 / m)[:, 0]
    compared = (expected.sum(axis=1) > 0) & (observed.sum(axis=1) > 0)
    return np.asarray(np.where(compared, np.maximum(terms.sum(axis=1) - chance, 0.0), 0.0))


def usual_index(values: Floats, edges: Float32) -> Float64:
    """How far one window of the reference strays from the others, nine times of ten, [columns].

    Zero where there are not two windows to compare.
    """
    windows = [values[start : start + WINDOW] for start in range(0, len(values), WINDOW)]
    counted = [binned(window, edges) for window in windows if len(window) == WINDOW]
    if len(counted) < 2:
        return np.zeros(len(edges))
    whole = np.sum(counted, axis=0)
    indexes = [stability_index(whole - window, window) for window in counted]
    return np.asarray(np.quantile(indexes, _USUAL, axis=0))
