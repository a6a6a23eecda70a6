"""Judging novelty: injected anomalies against the ordinary pulls they were made from."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle
from pullrisk.train.baselines import Scorer
from pullrisk.train.figures import interval
from pullrisk.train.metrics import Floats, poisson_weights, pooled_auc
from pullrisk.train.report import Interval, Novelty

ALL_KINDS = "mean of kinds"


@dataclass(frozen=True, slots=True)
class Injected:
    """Ordinary rows and, by kind, anomalies made from them; raw, [m, d] each."""

    normal: NDArray[np.float32]
    anomalies: Mapping[str, NDArray[np.float32]]


def judge_novelty(
    bundle: Bundle, injected: Injected, forest: Scorer | None, *, resamples: int, seed: int
) -> Novelty:
    """AUC of our error, and of `forest`, at telling each kind from ordinary pulls."""
    ours: Scorer = lambda x: bundle.raw(x)[1]  # noqa: E731  (a scorer like the other)
    drawn = _draws(ours, injected, resamples, seed)
    other = _draws(forest, injected, resamples, seed) if forest else {}
    return Novelty(
        _intervals(drawn),
        _intervals(other),
        _intervals({kind: drawn[kind] - other[kind] for kind in other}),
    )


def _draws(scorer: Scorer, injected: Injected, resamples: int, seed: int) -> dict[str, Floats]:
    normal = scorer(injected.normal)
    drawn: dict[str, Floats] = {}
    for kind, rows in injected.anomalies.items():
        scores = np.r_[normal, scorer(rows)]
        labels = np.r_[np.zeros(len(normal), np.int8), np.ones(len(rows), np.int8)]
        weights = poisson_weights(len(labels), resamples=resamples, seed=seed)
        weights = np.vstack([np.ones(len(labels)), weights])
        drawn[kind] = pooled_auc(scores, labels, weights)
    drawn[ALL_KINDS] = np.mean(list(drawn.values()), axis=0)
    return drawn


def _intervals(drawn: Mapping[str, Floats]) -> dict[str, Interval]:
    return {kind: interval(draws) for kind, draws in drawn.items()}
