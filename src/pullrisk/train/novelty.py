"""Judging novelty: injected anomalies against the ordinary pulls they were made from.

What is judged is what a reviewer reads: how an error ranks among those of its own repository's
recent pulls, drawn towards all repositories' where it has few. Peers are ranked the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pullrisk.arrays import Float32, Float64
from pullrisk.model.bundle import Bundle
from pullrisk.model.distribution import Distribution
from pullrisk.train.baselines import Scorer
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import Alarm, Interval, Novelty
from pullrisk.train.figures import interval
from pullrisk.train.metrics import bootstrap_weights, pooled_auc

ALL_KINDS = "mean of kinds"
NORMAL = ""
"""The kind of a row that is no anomaly, in `Injected.repositories`."""
_DEVIATIONS = 2.0


@dataclass(frozen=True, slots=True)
class Injected:
    """Ordinary rows and, by kind, anomalies made from them; raw, [m, d] each.

    `repositories` names, by kind, the repository of each row; without it a row is ranked among
    the pulls of all.
    """

    normal: Float32
    anomalies: Mapping[str, Float32]
    repositories: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detector:
    """Scores raw rows [n, d], higher for odder ones, and knows what is usual where."""

    score: Scorer
    usual: Distribution

    @classmethod
    def of(cls, score: Scorer, recent: Dataset) -> "Detector":
        """Measure what is usual on recent pulls."""
        scores = score(recent.x)
        return cls(score, Distribution.of(scores, recent.repository, recent.repositories))

    @classmethod
    def ours(cls, bundle: Bundle) -> "Detector":
        """The bundle's own error and distribution."""
        return cls(lambda x: bundle.raw(x)[1], bundle.metadata.novelty)

    def ranks(self, x: Float32, repositories: Sequence[str]) -> Float64:
        """The share of its repository's recent pulls that are less odd than a row, [n].

        Odder than all of them, it is one and by how much more than the oddest.
        """
        scores, names = self.score(x), np.array(repositories)
        ranks = np.zeros(len(x))
        for name in np.unique(names).tolist():
            own = names == name
            beyond = scores[own] / max(self.usual.threshold(0.0, name), 1e-12) - 1
            ranks[own] = self.usual.percentile(scores[own], name) / 100 + np.maximum(0, beyond)
        return ranks


def judge_novelty(
    bundle: Bundle, injected: Injected, peer: Detector | None, *, resamples: int, seed: int
) -> Novelty:
    """AUC of our novelty, and of a peer's, at telling each kind from ordinary pulls."""
    drawn = _draws(Detector.ours(bundle), injected, resamples, seed)
    other = _draws(peer, injected, resamples, seed) if peer else {}
    return Novelty(
        _intervals(drawn),
        _intervals(other),
        _intervals({kind: drawn[kind] - other[kind] for kind in other}),
    )


def judge_alarm(bundle: Bundle, past: Float32, later: Dataset, *, rate: float) -> Alarm:
    """How often later pulls raise an alarm that a share `rate` of recent ones would raise.

    Beside it the threshold of the blueprint: the mean error in training and two deviations.
    """
    usual = bundle.metadata.novelty
    errors = bundle.raw(later.x)[1]
    own = np.array([usual.threshold(rate, name) for name in later.repositories])
    seen = bundle.raw(past)[1]
    blueprint = float(seen.mean() + _DEVIATIONS * seen.std()) if len(seen) else float("inf")
    return Alarm(
        rate=rate,
        threshold=usual.threshold(rate),
        flagged=float((errors > own[later.repository]).mean()),
        blueprint_threshold=blueprint,
        blueprint_flagged=float((errors > blueprint).mean()),
    )


def _draws(detector: Detector, injected: Injected, resamples: int, seed: int) -> dict[str, Float64]:
    normal = detector.ranks(injected.normal, _named(injected, NORMAL, len(injected.normal)))
    drawn: dict[str, Float64] = {}
    for kind, rows in injected.anomalies.items():
        scores = np.r_[normal, detector.ranks(rows, _named(injected, kind, len(rows)))]
        labels = np.r_[np.zeros(len(normal), np.int8), np.ones(len(rows), np.int8)]
        weights = bootstrap_weights(len(labels), resamples=resamples, seed=seed)
        drawn[kind] = pooled_auc(scores, labels, weights)
    drawn[ALL_KINDS] = np.mean(list(drawn.values()), axis=0)
    return drawn


def _named(injected: Injected, kind: str, rows: int) -> Sequence[str]:
    return injected.repositories.get(kind) or [""] * rows


def _intervals(drawn: Mapping[str, Float64]) -> dict[str, Interval]:
    return {kind: interval(draws) for kind, draws in drawn.items()}
