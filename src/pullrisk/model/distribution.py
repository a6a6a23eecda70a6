"""What scores and features usually are: quantiles and medians, of all pulls and by repository."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from pullrisk.arrays import Float32, Float64, Floats, Ints

LEVELS: Final = np.linspace(0.0, 1.0, 201)
"""The levels at which distributions keep their quantiles: every half per cent."""
_INCREASING: Final = np.arange(len(LEVELS)) * 1e-12
_PER_CENT: Final = 100.0 * LEVELS
_PRIOR_PULLS: Final = 200.0
LEAST_KNOWN: Final = 0.05
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
    def of(cls, scores: Floats, codes: Ints, repositories: Sequence[str]) -> "Distribution":
        """Measure scores [n] of pulls whose repository is `repositories[codes]`."""
        all_of_it = cls(shortened(np.quantile(scores, LEVELS)), {})
        own = {name: scores[codes == code] for code, name in enumerate(repositories)}
        return all_of_it.including({name: part for name, part in own.items() if len(part)})

    def including(
        self, scores: Mapping[str, Floats], *, at_own_level: bool = False
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

    def percentile(self, scores: Floats, repository: str | None = None) -> Float64:
        """Per cent (0..100) of the repository's pulls whose score is lower, [n]."""
        points = self._quantiles(repository)
        if len(scores) > _FEW:
            # np.interp wants increasing points
            percentiles = np.interp(
                scores, np.array(points) + _INCREASING[: len(points)], _PER_CENT
            )
        else:
            percentiles = np.array([_per_cent_below(points, score) for score in scores.tolist()])
        return np.asarray(percentiles, np.float64)

    def _quantiles(self, repository: str | None) -> list[float]:
        return self.by_repository.get(repository or "", self.pooled)


class RepositoryMedians(msgspec.Struct, frozen=True, dict=True):
    """Median raw value of every feature [d]: of all pulls, and of each repository's own.

    None if the source of the pulls does not know the feature.
    """

    pooled: list[float | None]
    by_repository: dict[str, list[float | None]]

    @classmethod
    def of(cls, x: Float32, codes: Ints, repositories: Sequence[str]) -> "RepositoryMedians":
        """Measure raw rows [n, d] of pulls whose repository is `repositories[codes]`."""
        own = {
            name: _medians(x[codes == code])
            for code, name in enumerate(repositories)
            if (codes == code).any()
        }
        return cls(_medians(x), own)

    def including(self, name: str, x: Float32) -> "RepositoryMedians":
        """The same, with the median of one more repository's rows [n, d]."""
        own = {**self.by_repository, name: _medians(x)}
        return RepositoryMedians(self.pooled, own)

    def row(self, repository: str | None = None) -> Float32:
        """The typical pull of a repository, or of all where that one is not known, [d].

        NaN where the feature is unknown there. Nobody may change the row: it is made once for
        each repository.
        """
        name = repository if repository and repository in self.by_repository else ""
        cache: dict[str, Float32] = self.__dict__
        if name not in cache:
            row = np.array(self.by_repository[name] if name else self.pooled, np.float32)
            row.flags.writeable = False
            cache[name] = row
        return cache[name]


def _medians(x: Float32) -> list[float | None]:
    """The median of each column's known values [n, d]; None if few rows know it."""
    known = ~np.isnan(x)
    few = known.mean(axis=0) < LEAST_KNOWN
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


def shortened(values: Floats) -> list[float]:
    """Seven significant digits: all that float32 holds, in a third of the text."""
    return [float(f"{value:.7g}") for value in values.tolist()]
