"""How far a pull lies from recent ones: what novelty is measured by."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pullrisk.arrays import Float32, Float64, Indices
from pullrisk.model.distribution import LEAST_KNOWN
from pullrisk.model.scaling import known_moments

ERROR_CAP: Final = 25.0
"""Most that one direction or input adds, in units of its usual square: five deviations."""
_KEPT: Final = 0.5
_CORE: Final = 2
"""Groups of features that nearly every pull knows."""
_RIDGE: Final = 1e-3
_LEAST_VARIANCE: Final = 1e-2
LEAST_SHARE: Final = 1e-6
"""What the known directions and inputs weigh at least, so that nothing is divided by zero."""
_STEADIEST: Final = 0.3
"""Least variance that a square counts with, so that a constant does not outweigh everything."""


@dataclass(frozen=True, slots=True)
class NoveltyStatistics:
    """What recent pulls look like: whitening `directions` [d, k] of their residuals, `centre`
    and `spread` [d] of their scaled inputs, and what each direction and input weighs: `shares`
    [k + d], half in all for either.

    Plain mean squared error hardly tells an odd pull from an ordinary one, since features that are
    hard to rebuild for every pull drown the rest. So residuals are whitened (a Mahalanobis length
    of the residual), and only the half of the directions counts in which ordinary pulls are
    rebuilt best: what must fit, and does not. A pull that lies far out in many features at once may
    still be rebuilt well, so the other half of the error is how far its inputs stray from recent
    ones. Within each half a direction or input weighs by the inverse variance of its square on
    recent pulls: one that is often far out on ordinary days says little when it is. On anomalies
    injected into windows before the test window, mean AUC: residual alone 0.91, with what strays
    0.92, so weighted 0.95 (docs/experiments.md).

    What a pull's source cannot know counts for nothing: an input that is unknown is left out, and
    so is every direction that it is mixed into; the rest is weighted up. So that a pull without
    line counts, or by somebody unknown, still has directions left, features that become unknown
    together are whitened together (`groups`), each group after what the ones before say of it.
    """

    directions: Float32
    centre: Float32
    spread: Float32
    shares: Float32

    @classmethod
    def of(
        cls, z: Float32, residuals: Float32, groups: Indices | None = None
    ) -> "NoveltyStatistics":
        """Measure scaled rows and their residuals, [n, d] each, NaN where unknown.

        `groups` [d] numbers the features that are known together, those that are nearly always
        known first; one group unless given.
        """
        groups = np.zeros(z.shape[1], np.intp) if groups is None else groups
        mean, variance = known_moments(z)
        centre = mean.astype(np.float32)
        spread = np.sqrt(variance + _LEAST_VARIANCE).astype(np.float32)
        directions = whitening(residuals, groups)
        halves = _mixed(residuals, directions), (z - centre) / spread
        shares = np.concatenate([_steadiness(_capped(half)) / 2 for half in halves])
        return cls(directions, centre, spread, shares.astype(np.float32))

    @property
    def mixed(self) -> Float32:
        """1 where an input is part of a direction, [d, k]."""
        return np.asarray(self.directions != 0, np.float32)


def whitening(residuals: Float32, groups: Indices) -> Float32:
    """Directions [d, k] that bring ordinary residuals [n, d] to unit variance.

    The first groups (`_CORE` of them) are a chain: each is whitened less what those before it
    say of it by linear regression, which together is the whole Mahalanobis length. Any later
    group comes after the core alone. A group is measured on the rows that know all of it; inputs
    that hardly a row knows are part of none.
    """
    known = ~np.isnan(residuals)
    usable = known.mean(axis=0) >= LEAST_KNOWN
    variances, directions = [], []
    for group in np.unique(groups[usable]):
        before = np.flatnonzero(usable & (groups < min(group, _CORE)))
        own = np.flatnonzero(usable & (groups == group))
        rows = known[:, [*before, *own]].all(axis=1)
        variance, placed = _conditional(residuals[rows], before, own)
        variances.append(variance)
        directions.append(placed)
    variance, every = np.concatenate(variances), np.concatenate(directions, axis=1)
    chosen = np.argsort(variance, kind="stable")[: max(1, round(_KEPT * len(variance)))]
    return np.asarray(every[:, chosen] / np.sqrt(variance[chosen]), np.float32)


def _conditional(residuals: Float32, before: Indices, own: Indices) -> tuple[Float64, Float64]:
    """Variances [k] and directions [d, k] of the k columns `own`, less what `before` say of them.

    The covariance is shrunk towards its diagonal by d / (d + n), so that few rows do not invent
    directions without any variance.
    """
    part = residuals[:, [*before, *own]].astype(np.float64)
    n, d = part.shape
    covariance = part.T @ part / max(1, n)
    shrinkage, diagonal = d / (d + n), np.diag(np.diag(covariance))
    shrunk = (1 - shrinkage) * covariance + shrinkage * diagonal + _RIDGE * np.eye(d)
    first = len(before)
    slopes = np.linalg.solve(shrunk[:first, :first], shrunk[:first, first:])
    variance, directions = np.linalg.eigh(shrunk[first:, first:] - shrunk[first:, :first] @ slopes)
    placed = np.zeros((residuals.shape[1], len(own)))
    placed[own], placed[before] = directions, -slopes @ directions
    return variance, placed


def novelty_error(z: Float32, residuals: Float32, ordinary: NoveltyStatistics) -> Float64:
    """What the graph computes, in numpy: the capped squares of the whitened residuals and of how
    far the inputs lie from recent ones, their weighted mean over what is known; scaled rows and
    residuals [n, d], NaN where unknown, [n].
    """
    strayed = (z - ordinary.centre) / ordinary.spread
    squares = _capped(np.hstack([_mixed(residuals, ordinary.directions), strayed]))
    known, shares = ~np.isnan(squares), ordinary.shares.astype(np.float64)
    total = np.where(known, squares, 0) @ shares
    return np.asarray(total / np.maximum(known @ shares, LEAST_SHARE), np.float64)


def _mixed(residuals: Float32, directions: Float32) -> Float32:
    """Residuals [n, d] along directions [d, k]; NaN where a direction mixes in an unknown one."""
    unknown = np.isnan(residuals)
    mixed = np.where(unknown, np.float32(0), residuals) @ directions
    lost = unknown.astype(np.float32) @ (directions != 0).astype(np.float32) > 0
    return np.asarray(np.where(lost, np.float32(np.nan), mixed), np.float32)


def _capped(values: Float32) -> Float32:
    return np.minimum(np.square(values), np.float32(ERROR_CAP))


def _steadiness(squares: Float32) -> Float64:
    """The weight of each column [n, k]: inverse variance, one in all, [k].

    A column that hardly any row knows weighs nothing.
    """
    known = ~np.isnan(squares)
    precision = 1 / np.maximum(known_moments(squares)[1], _STEADIEST)
    precision[known.mean(axis=0) < LEAST_KNOWN] = 0.0
    return np.asarray(precision / max(precision.sum(), LEAST_SHARE), np.float64)
