"""Recent pulls against the training reference, column by column.

A column has drifted where two things hold. The difference is significant: Kolmogorov and
Smirnov's test on the binned counts, after Benjamini and Hochberg's correction over all columns.
And it is large: the stability index exceeds a limit and several times what the repository's own
windows showed during training. Pulls are not independent draws, so significance alone means
little: without the second part, a fifth of the columns of a healthy repository drift.
Values that a pull's source does not know are left out on both sides.
"""

from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float64, Floats
from pullrisk.model.reference import Counts, Reference, binned, stability_index
from pullrisk.options import MonitorOptions

_TERMS: Final = 30


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One feature or score: its index beside the limit it was held to, its corrected p-value.

    `expected` and `found` are shares of pulls in the bins that end at `edges`.
    """

    name: str
    index: float
    limit: float
    p_value: float
    drifted: bool
    edges: list[float]
    expected: list[float]
    found: list[float]


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One repository's recent pulls; columns with the strongest drift first.

    `known` says whether the model learnt from the repository; else the reference is all others.
    """

    repository: str
    pulls: int
    known: bool
    since: str
    until: str
    columns: list[Column]

    @property
    def drifted(self) -> list[Column]:
        """Those that have drifted."""
        return [column for column in self.columns if column.drifted]


def compare(
    reference: Reference,
    repository: str,
    values: Floats,
    *,
    period: tuple[str, str],
    options: MonitorOptions,
) -> Drift:
    """Hold recent values [n, columns] of one repository against its reference."""
    expected, found = reference.expected(repository), binned(values, reference.bins)
    index = stability_index(expected, found)
    limit = np.maximum(options.index, options.usual * reference.usual_of(repository))
    p_value = benjamini_hochberg(kolmogorov_smirnov(expected, found))
    drifted = (index > limit) & (p_value < options.significance)
    order = np.lexsort((-index / limit, ~drifted))
    shares = [
        counts / np.maximum(1, counts.sum(axis=1, keepdims=True)) for counts in (expected, found)
    ]
    columns = [
        Column(
            name=reference.columns[place],
            index=float(index[place]),
            limit=float(limit[place]),
            p_value=float(p_value[place]),
            drifted=bool(drifted[place]),
            edges=reference.bins[place].tolist(),
            expected=shares[0][place].tolist(),
            found=shares[1][place].tolist(),
        )
        for place in order.tolist()
    ]
    return Drift(
        repository=repository,
        pulls=len(values),
        known=repository in reference.counts,
        since=period[0],
        until=period[1],
        columns=columns,
    )


def kolmogorov_smirnov(expected: Counts, found: Counts) -> Float64:
    """Asymptotic two-sample p-values from binned counts, [columns]; binning makes them larger."""
    n, m = (np.maximum(1, counts.sum(axis=1)) for counts in (expected, found))
    gap = np.cumsum(expected, axis=1) / n[:, None] - np.cumsum(found, axis=1) / m[:, None]
    size = np.abs(gap).max(axis=1) * np.sqrt(n * m / (n + m))
    terms = np.arange(1, _TERMS)
    signs = np.where(terms % 2 == 1, 2.0, -2.0)
    tail = (signs * np.exp(-2.0 * np.square(np.outer(size, terms)))).sum(axis=1)
    # The series fails near zero; a column that either side does not know has not drifted.
    compared = (expected.sum(axis=1) > 0) & (found.sum(axis=1) > 0) & (size >= 0.2)
    return np.where(compared, np.clip(tail, 0.0, 1.0), 1.0)


def benjamini_hochberg(p_values: Float64) -> Float64:
    """p-values corrected for their number (Benjamini and Hochberg 1995), [columns]."""
    order = np.argsort(p_values)
    scaled = p_values[order] * len(p_values) / np.arange(1, len(p_values) + 1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return corrected
