"""Platt scaling: logits of the network as calibrated probabilities."""

from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float64, Floats, Ints

_NEWTON_STEPS: Final = 50
_TOLERANCE: Final = 1e-10
_LEAST_SLOPE: Final = 1e-3


class Calibration(msgspec.Struct, frozen=True):
    """Platt scaling: sigmoid(slope x logit + intercept); a slope above zero keeps the ranking."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, logit: Floats) -> Float64:
        """Probabilities of logits, of any shape."""
        return sigmoid(self.slope * logit.astype(np.float64) + self.intercept)


def fit_platt(logit: Floats, labels: Ints, *, prior: float = 0.0) -> Calibration:
    """Maximum-likelihood slope and intercept by Newton steps (Platt 1999).

    Targets are smoothed as Platt proposes. Where the labels are of one class, or the best
    slope is not above zero, the slope stays 1 and only the intercept is fitted. `prior` is
    the strength of a Gaussian pull of the slope towards 1.
    """
    values = logit.astype(np.float64)
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if not positives or not negatives:
        return _intercept_only(values, (positives + 0.5) / (positives + negatives + 1.0))
    high, low = (positives + 1.0) / (positives + 2.0), 1.0 / (negatives + 2.0)
    targets = np.where(labels == 1, high, low)
    slope, intercept = _newton(values, targets, prior)
    if slope < _LEAST_SLOPE:
        return _intercept_only(values, float(targets.mean()))
    return Calibration(slope, intercept)


def _newton(values: Float64, targets: Float64, prior: float) -> tuple[float, float]:
    design = np.stack([values, np.ones_like(values)])
    solution = np.array([1.0, 0.0])
    pull = np.array([prior, 0.0])
    for _ in range(_NEWTON_STEPS):
        chance = sigmoid(solution @ design)
        gradient = design @ (chance - targets) + pull * (solution - 1.0)
        hessian = (design * (chance * (1 - chance))) @ design.T + np.diag(pull)
        step = np.linalg.solve(hessian + 1e-9 * np.eye(2), gradient)
        solution = solution - step
        if float(np.abs(step).max()) < _TOLERANCE:
            break
    return float(solution[0]), float(solution[1])


def _intercept_only(values: Float64, rate: float) -> Calibration:
    """Slope 1 and the intercept at which the mean probability equals `rate`, by bisection."""
    low, high = -50.0 - float(values.max(initial=0)), 50.0 - float(values.min(initial=0))
    for _ in range(100):
        middle = (low + high) / 2
        mean = float(sigmoid(values + middle).mean()) if len(values) else float(sigmoid(middle))
        low, high = (middle, high) if mean < rate else (low, middle)
    return Calibration(1.0, (low + high) / 2)


def sigmoid(values: Float64 | float) -> Float64:
    """1 / (1 + exp(-v)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(values, np.float64))), np.float64)
