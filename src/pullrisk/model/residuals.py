"""From what the autoencoder failed to rebuild to one number: the novelty error.

Plain mean squared error hardly tells an odd pull from an ordinary one, since features that are
hard to rebuild for every pull drown the rest. So residuals are whitened (a Mahalanobis length
of the residual), and only the half of the directions counts in which ordinary pulls are
rebuilt best: what must fit, and does not. A pull that lies far out in many features at once may
still be rebuilt well, so the other half of the error is how far its inputs stray from recent
ones. Within each half a direction or input weighs by the inverse variance of its square on recent
pulls: one that is often far out on ordinary days says little when it is. On anomalies injected
into windows before the test window, mean AUC: residual alone 0.91, with what strays 0.92, so
weighted 0.95 (docs/experiments.md).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ERROR_CAP: Final = 25.0
"""Most that one direction or input adds, in units of its usual square: five deviations."""
_KEPT: Final = 0.5
_RIDGE: Final = 1e-3
_LEAST_VARIANCE: Final = 1e-2
_STEADIEST: Final = 0.3
"""Least variance that a square counts with, so that a constant does not outweigh everything."""


@dataclass(frozen=True, slots=True)
class Ordinary:
    """What recent pulls look like: whitening `directions` [d, k] of their residuals, `centre`
    and `spread` [d] of their scaled inputs, and what each direction and input weighs: `shares`
    [k + d], half in all for either.
    """

    directions: NDArray[np.float32]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    shares: NDArray[np.float32]

    @classmethod
    def of(cls, z: NDArray[np.float32], residuals: NDArray[np.float32]) -> "Ordinary":
        """Measure scaled rows and their residuals, [n, d] each."""
        spread = np.sqrt(z.var(axis=0, dtype=np.float64) + _LEAST_VARIANCE).astype(np.float32)
        centre = z.mean(axis=0, dtype=np.float64).astype(np.float32)
        directions = whitening(residuals)
        halves = _capped(residuals @ directions), _capped((z - centre) / spread)
        shares = np.concatenate([_steadiness(half) / 2 for half in halves])
        return cls(directions, centre, spread, shares.astype(np.float32))


def whitening(residuals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Directions [d, k] that bring ordinary residuals [n, d] to unit variance.

    The covariance is shrunk towards its diagonal by d / (d + n), so that few rows do not
    invent directions without any variance.
    """
    n, d = residuals.shape
    covariance = residuals.astype(np.float64).T @ residuals / max(1, n)
    shrinkage = d / (d + n)
    diagonal = np.diag(np.diag(covariance))
    shrunk = (1 - shrinkage) * covariance + shrinkage * diagonal + _RIDGE * np.eye(d)
    variance, directions = np.linalg.eigh(shrunk)
    kept = max(1, round(_KEPT * d))
    return np.asarray(directions[:, :kept] / np.sqrt(variance[:kept]), np.float32)


def novelty_error(
    z: NDArray[np.float32], residuals: NDArray[np.float32], ordinary: Ordinary
) -> NDArray[np.float64]:
    """What the graph computes, in numpy: the capped squares of the whitened residuals and of how
    far the inputs lie from recent ones, weighted; scaled rows and residuals [n, d], [n].
    """
    strayed = (z - ordinary.centre) / ordinary.spread
    squares = _capped(np.hstack([residuals @ ordinary.directions, strayed]))
    return np.asarray(squares @ ordinary.shares.astype(np.float64), np.float64)


def _capped(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.minimum(np.square(values), np.float32(ERROR_CAP))


def _steadiness(squares: NDArray[np.float32]) -> NDArray[np.float64]:
    """The weight of each column [n, k]: inverse variance, one in all, [k]."""
    precision = 1 / np.maximum(squares.var(axis=0, dtype=np.float64), _STEADIEST)
    return np.asarray(precision / precision.sum(), np.float64)
