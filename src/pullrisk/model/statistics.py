"""From a network's outputs to answers: calibrated risk, novelty error, percentiles, thresholds."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.model.scaling import known_moments

_NEWTON_STEPS: Final = 50
_TOLERANCE: Final = 1e-10
_LEAST_SLOPE: Final = 1e-3


class Calibration(msgspec.Struct, frozen=True):
    """Platt scaling: sigmoid(slope x logit + intercept); a slope above zero keeps the ranking."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, logit: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities of logits, of any shape."""
        return sigmoid(self.slope * logit.astype(np.float64) + self.intercept)


def fit_platt(
    logit: NDArray[np.floating], labels: NDArray[np.integer], *, prior: float = 0.0
) -> Calibration:
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


def _newton(
    values: NDArray[np.float64], targets: NDArray[np.float64], prior: float
) -> tuple[float, float]:
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


def _intercept_only(values: NDArray[np.float64], rate: float) -> Calibration:
    """Slope 1 and the intercept at which the mean probability equals `rate`, by bisection."""
    low, high = -50.0 - float(values.max(initial=0)), 50.0 - float(values.min(initial=0))
    for _ in range(100):
        middle = (low + high) / 2
        mean = float(sigmoid(values + middle).mean()) if len(values) else float(sigmoid(middle))
        low, high = (middle, high) if mean < rate else (low, middle)
    return Calibration(1.0, (low + high) / 2)


def sigmoid(values: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """1 / (1 + exp(-v)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(values, np.float64))), np.float64)


LEVELS: Final = np.linspace(0.0, 1.0, 201)
"""The levels at which distributions keep their quantiles: every half per cent."""
_INCREASING: Final = np.arange(len(LEVELS)) * 1e-12
_PER_CENT: Final = 100.0 * LEVELS
_PRIOR_PULLS: Final = 200.0
_LEAST_KNOWN: Final = 0.05
"""What fewer of a repository's rows know is unknown there."""
_FEW: Final = 4
"""Scores up to which Python alone takes less time than numpy takes to begin."""


class Distribution(msgspec.Struct, frozen=True):
    """Quantiles of a score at LEVELS: of all pulls, and of each repository's own.

    A repository's are drawn towards the pooled ones as if it had 200 more pulls like theirs,
    so a young repository's operating points are near the pooled ones.
    """

    pooled: list[float]
    by_repository: dict[str, list[float]]

    @classmethod
    def of(
        cls,
        scores: NDArray[np.floating],
        codes: NDArray[np.integer],
        repositories: Sequence[str],
    ) -> "Distribution":
        """Measure scores [n] of pulls whose repository is `repositories[codes]`."""
        all_of_it = cls(shortened(np.quantile(scores, LEVELS)), {})
        own = {name: scores[codes == code] for code, name in enumerate(repositories)}
        return all_of_it.including({name: part for name, part in own.items() if len(part)})

    def including(
        self, scores: Mapping[str, NDArray[np.floating]], *, at_own_level: bool = False
    ) -> "Distribution":
        """The same, with the quantiles of more repositories measured on `scores` [n] of each.

        `at_own_level` draws a repository only towards the shape of the pooled quantiles, scaled
        to its own median: for scores of which only the rank in the repository matters.
        """
        pooled = np.array(self.pooled)
        middle = pooled[len(pooled) // 2]
        own = dict(self.by_repository)
        for name, part in scores.items():
            level = float(np.median(part)) / middle if at_own_level and middle > 0 else 1.0
            weight = len(part) / (len(part) + _PRIOR_PULLS)
            drawn = weight * np.quantile(part, LEVELS) + (1 - weight) * level * pooled
            own[name] = shortened(drawn)
        return Distribution(self.pooled, own)

    def threshold(self, share: float, repository: str | None = None) -> float:
        """The score that the highest `share` of the repository's pulls exceed."""
        return float(np.interp(1.0 - share, LEVELS, self._quantiles(repository)))

    def percentile(
        self, scores: NDArray[np.floating], repository: str | None = None
    ) -> NDArray[np.float64]:
        """Per cent (0..100) of the repository's pulls whose score is lower, [n]."""
        points = self._quantiles(repository)
        if len(scores) > _FEW:
            # np.interp wants increasing points
            found = np.interp(scores, np.array(points) + _INCREASING[: len(points)], _PER_CENT)
        else:
            found = np.array([_per_cent_below(points, score) for score in scores.tolist()])
        return np.asarray(found, np.float64)

    def _quantiles(self, repository: str | None) -> list[float]:
        return self.by_repository.get(repository or "", self.pooled)


class RepositoryMedians(msgspec.Struct, frozen=True, dict=True):
    """Median raw value of every feature [d]: of all pulls, and of each repository's own.

    None where the source of the pulls does not know the feature.
    """

    pooled: list[float | None]
    by_repository: dict[str, list[float | None]]

    @classmethod
    def of(
        cls, x: NDArray[np.float32], codes: NDArray[np.integer], repositories: Sequence[str]
    ) -> "RepositoryMedians":
        """Measure raw rows [n, d] of pulls whose repository is `repositories[codes]`."""
        own = {
            name: _medians(x[codes == code])
            for code, name in enumerate(repositories)
            if (codes == code).any()
        }
        return cls(_medians(x), own)

    def including(self, name: str, x: NDArray[np.float32]) -> "RepositoryMedians":
        """The same, with the median of one more repository's rows [n, d]."""
        own = {**self.by_repository, name: _medians(x)}
        return RepositoryMedians(self.pooled, own)

    def row(self, repository: str | None = None) -> NDArray[np.float32]:
        """The typical pull of a repository, or of all where that one is not known, [d].

        NaN where the feature is unknown there. Nobody may change the row: it is made once for
        each repository.
        """
        name = repository if repository and repository in self.by_repository else ""
        made: dict[str, NDArray[np.float32]] = self.__dict__
        if name not in made:
            row = np.array(self.by_repository[name] if name else self.pooled, np.float32)
            row.flags.writeable = False
            made[name] = row
        return made[name]


def _medians(x: NDArray[np.float32]) -> list[float | None]:
    """The median of each column's known values [n, d]; None where few rows know it."""
    known = ~np.isnan(x)
    few = known.mean(axis=0) < _LEAST_KNOWN
    typical = np.nanmedian(np.where(few, np.float32(0), x), axis=0)
    pairs = zip(few.tolist(), shortened(typical), strict=True)
    return [None if unknown else value for unknown, value in pairs]


def _per_cent_below(points: list[float], score: float) -> float:
    """What np.interp tells of one score between the quantiles `points`, in per cent."""
    after = bisect_left(points, score)
    if after == 0 or after == len(points):
        return 0.0 if after == 0 else 100.0
    low, high = points[after - 1], points[after]
    part = (score - low) / (high - low)
    return float(100.0 * (after - 1 + part) / (len(points) - 1))


def shortened(values: NDArray[np.floating]) -> list[float]:
    """Seven significant digits: all that float32 holds, in a third of the text."""
    return [float(f"{value:.7g}") for value in values.tolist()]


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

    directions: NDArray[np.float32]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    shares: NDArray[np.float32]

    @classmethod
    def of(
        cls,
        z: NDArray[np.float32],
        residuals: NDArray[np.float32],
        groups: NDArray[np.intp] | None = None,
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
    def mixed(self) -> NDArray[np.float32]:
        """1 where an input is part of a direction, [d, k]."""
        return np.asarray(self.directions != 0, np.float32)


def whitening(residuals: NDArray[np.float32], groups: NDArray[np.intp]) -> NDArray[np.float32]:
    """Directions [d, k] that bring ordinary residuals [n, d] to unit variance.

    The first groups (`_CORE` of them) are a chain: each is whitened less what those before it
    say of it by linear regression, which together is the whole Mahalanobis length. Any later
    group comes after the core alone. A group is measured on the rows that know all of it; inputs
    that hardly a row knows are part of none.
    """
    known = ~np.isnan(residuals)
    usable = known.mean(axis=0) >= _LEAST_KNOWN
    variances, directions = [], []
    for group in np.unique(groups[usable]):
        before = np.flatnonzero(usable & (groups < min(group, _CORE)))
        own = np.flatnonzero(usable & (groups == group))
        rows = known[:, [*before, *own]].all(axis=1)
        variance, placed = _conditional(residuals[rows], before, own)
        variances.append(variance)
        directions.append(placed)
    variance, every = np.concatenate(variances), np.concatenate(directions, axis=1)
    kept = np.argsort(variance, kind="stable")[: max(1, round(_KEPT * len(variance)))]
    return np.asarray(every[:, kept] / np.sqrt(variance[kept]), np.float32)


def _conditional(
    residuals: NDArray[np.float32], before: NDArray[np.intp], own: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def novelty_error(
    z: NDArray[np.float32], residuals: NDArray[np.float32], ordinary: NoveltyStatistics
) -> NDArray[np.float64]:
    """What the graph computes, in numpy: the capped squares of the whitened residuals and of how
    far the inputs lie from recent ones, their weighted mean over what is known; scaled rows and
    residuals [n, d], NaN where unknown, [n].
    """
    strayed = (z - ordinary.centre) / ordinary.spread
    squares = _capped(np.hstack([_mixed(residuals, ordinary.directions), strayed]))
    known, shares = ~np.isnan(squares), ordinary.shares.astype(np.float64)
    total = np.where(known, squares, 0) @ shares
    return np.asarray(total / np.maximum(known @ shares, LEAST_SHARE), np.float64)


def _mixed(residuals: NDArray[np.float32], directions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Residuals [n, d] along directions [d, k]; NaN where a direction mixes in an unknown one."""
    unknown = np.isnan(residuals)
    mixed = np.where(unknown, np.float32(0), residuals) @ directions
    lost = unknown.astype(np.float32) @ (directions != 0).astype(np.float32) > 0
    return np.asarray(np.where(lost, np.float32(np.nan), mixed), np.float32)


def _capped(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.minimum(np.square(values), np.float32(ERROR_CAP))


def _steadiness(squares: NDArray[np.float32]) -> NDArray[np.float64]:
    """The weight of each column [n, k]: inverse variance, one in all, [k].

    A column that hardly any row knows weighs nothing.
    """
    known = ~np.isnan(squares)
    precision = 1 / np.maximum(known_moments(squares)[1], _STEADIEST)
    precision[known.mean(axis=0) < _LEAST_KNOWN] = 0.0
    return np.asarray(precision / max(precision.sum(), LEAST_SHARE), np.float64)
