"""What a bundle carries beside its graph: facts, typical values and score distributions."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.features.schema import Feature
from pullrisk.model.calibration import Calibration
from pullrisk.model.patterns import Patterns
from pullrisk.model.reference import Reference

FORMAT: Final = 1
"""Version of this metadata; a reader refuses a newer one."""
METADATA_KEY: Final = "pullrisk"
"""Where the JSON lies in the ONNX file's `metadata_props`."""
LEVELS: Final = np.linspace(0.0, 1.0, 201)
"""The levels at which distributions keep their quantiles: every half per cent."""
_STEPS: Final = np.arange(len(LEVELS)) * 1e-12
_PER_CENT: Final = 100.0 * LEVELS
_PRIOR_PULLS: Final = 200.0
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
        all_of_it = cls(_short(np.quantile(scores, LEVELS)), {})
        own = {name: scores[codes == code] for code, name in enumerate(repositories)}
        return all_of_it.including({name: part for name, part in own.items() if len(part)})

    def including(self, scores: Mapping[str, NDArray[np.floating]]) -> "Distribution":
        """The same, with the quantiles of more repositories measured on `scores` [n] of each."""
        pooled = np.array(self.pooled)
        own = dict(self.by_repository)
        for name, part in scores.items():
            weight = len(part) / (len(part) + _PRIOR_PULLS)
            own[name] = _short(weight * np.quantile(part, LEVELS) + (1 - weight) * pooled)
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
            found = np.interp(scores, np.array(points) + _STEPS[: len(points)], _PER_CENT)
        else:
            found = np.array([_per_cent_below(points, score) for score in scores.tolist()])
        return np.asarray(found, np.float64)

    def _quantiles(self, repository: str | None) -> list[float]:
        return self.by_repository.get(repository or "", self.pooled)


class Typical(msgspec.Struct, frozen=True, dict=True):
    """Median raw value of every feature [d]: of all pulls, and of each repository's own."""

    pooled: list[float]
    by_repository: dict[str, list[float]]

    @classmethod
    def of(
        cls, x: NDArray[np.float32], codes: NDArray[np.integer], repositories: Sequence[str]
    ) -> "Typical":
        """Measure raw rows [n, d] of pulls whose repository is `repositories[codes]`."""
        own = {
            name: _short(np.median(x[codes == code], axis=0))
            for code, name in enumerate(repositories)
            if (codes == code).any()
        }
        return cls(_short(np.median(x, axis=0)), own)

    def including(self, name: str, x: NDArray[np.float32]) -> "Typical":
        """The same, with the median of one more repository's rows [n, d]."""
        own = {**self.by_repository, name: _short(np.median(x, axis=0))}
        return Typical(self.pooled, own)

    def row(self, repository: str | None = None) -> NDArray[np.float32]:
        """The typical pull of a repository, or of all where that one is not known, [d].

        Nobody may change it: it is made once for each repository.
        """
        name = repository if repository and repository in self.by_repository else ""
        made: dict[str, NDArray[np.float32]] = self.__dict__
        if name not in made:
            row = np.array(self.by_repository[name] if name else self.pooled, np.float32)
            row.flags.writeable = False
            made[name] = row
        return made[name]


class OperatingPoints(msgspec.Struct, frozen=True):
    """Shares of a repository's pulls: the riskiest `high`, and the next `elevated`."""

    high: float = 0.05
    elevated: float = 0.15


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """How a model was trained: on what, until when, towards which outcome."""

    target: str
    maturity_days: float
    pulls: int
    examples: int
    positives: int
    seed: int
    epochs: int
    dataset_version: str | None = None
    started_from: str | None = None
    """The model that was fine-tuned."""
    fit: dict[str, Any] = {}
    """How the network was trained, by the names of the training's settings."""
    validation_from: dict[str, int]
    """Per repository, µs: where training rows end and the validation window starts."""
    trained_until: dict[str, int]
    """Per repository, µs: nothing at or after this moment was seen, not even to tune."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Everything beside the graph, stored as JSON in the ONNX file's `metadata_props`."""

    format: int = FORMAT
    schema_hash: str
    features: tuple[Feature, ...]
    risk_available: bool
    """False where there were too few matured positives: then only novelty means anything."""
    calibration: Calibration
    operating_points: OperatingPoints
    risk: Distribution
    novelty: Distribution
    typical: Typical
    facts: Facts
    reference: Reference | None = None
    """What drift is measured by; models of earlier versions have none."""
    categories: tuple[str, ...] = ()
    """Names of the graph's `category` output, in its order; empty where it has none."""
    patterns: Patterns | None = None
    """Clusters of the code, named; models of earlier versions have none."""


def _per_cent_below(points: list[float], score: float) -> float:
    """What np.interp tells of one score between the quantiles `points`, in per cent."""
    after = bisect_left(points, score)
    if after == 0 or after == len(points):
        return 0.0 if after == 0 else 100.0
    low, high = points[after - 1], points[after]
    part = (score - low) / (high - low)
    return float(100.0 * (after - 1 + part) / (len(points) - 1))


def _short(values: NDArray[np.floating]) -> list[float]:
    """Seven significant digits: all that float32 holds, in a third of the text."""
    return [float(f"{value:.7g}") for value in values.tolist()]
