"""From what the autoencoder failed to rebuild to one number: the novelty error.

Plain mean squared error hardly tells an odd pull from an ordinary one, since features that are
hard to rebuild for every pull drown the rest. So residuals are whitened (a Mahalanobis length
of the residual), and only the half of the directions counts in which ordinary pulls are
rebuilt best: what must fit, and does not. On anomalies injected into windows before the test
window, mean AUC: squared error 0.85, whitened 0.93, this 0.95; IsolationForest 0.90.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

ERROR_CAP: Final = 25.0
"""Most that one direction adds, in units of its usual squared residual: five deviations."""
_KEPT: Final = 0.5
_RIDGE: Final = 1e-3


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
    residuals: NDArray[np.float32], directions: NDArray[np.float32]
) -> NDArray[np.float64]:
    """What the graph computes, in numpy: mean capped squared whitened residual of [n, d], [n]."""
    squared = np.square(residuals @ directions)
    return np.asarray(np.minimum(squared, ERROR_CAP).mean(axis=1), np.float64)
