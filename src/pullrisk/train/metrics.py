"""Figures of merit, each a vectorised function of bootstrap weights.

Every figure takes `weights`, float [b, n]: how often each pull counts in each of b resamples
(all ones for the plain figure), and returns [b]. So an interval costs one array operation, and
two models judged with the same weights give a paired difference.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def poisson_weights(n: int, *, resamples: int, seed: int) -> Floats:
    """Bootstrap weights [resamples, n]; Poisson(1), as Chamandy et al. 2012 (Google) propose."""
    generator = np.random.default_rng(seed)
    return generator.poisson(1.0, size=(resamples, n)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of n pulls sorted once within their groups, for AUCs under many weights."""

    order: NDArray[np.intp]
    tie_starts: NDArray[np.intp]
    group_starts: NDArray[np.intp]
    positive: NDArray[np.bool_]

    @classmethod
    def of(
        cls, scores: NDArray[np.floating], labels: NDArray[np.integer], groups: NDArray[np.integer]
    ) -> "Ranking":
        """Sort `scores` [n] within `groups` [n]; `labels` [n] are 0 or 1."""
        order = np.lexsort((scores, groups))
        group, score = groups[order], scores[order]
        new_group = np.r_[True, group[1:] != group[:-1]]
        new_tie = new_group | np.r_[True, score[1:] != score[:-1]]
        tie_starts = np.flatnonzero(new_tie)
        group_starts = np.searchsorted(tie_starts, np.flatnonzero(new_group))
        return cls(order, tie_starts, group_starts, labels[order] == 1)

    def auc(self, weights: Floats) -> tuple[Floats, Floats]:
        """Area under the ROC curve of each group and its weight of positives, [b, groups] each.

        NaN where a group has only one class. Ties count one half (Mann and Whitney 1947).
        """
        sorted_weights = weights[:, self.order]
        positive = self._per_tie(sorted_weights * self.positive)
        negative = self._per_tie(sorted_weights * ~self.positive)
        below = np.cumsum(negative, axis=1) - negative
        starts = self.group_starts
        groups = np.searchsorted(starts, np.arange(positive.shape[1]), side="right") - 1
        below -= below[:, starts][:, groups]
        wins = np.add.reduceat(positive * (below + negative / 2), starts, axis=1)
        positives = np.add.reduceat(positive, starts, axis=1)
        negatives = np.add.reduceat(negative, starts, axis=1)
        pairs = positives * negatives
        return np.where(pairs > 0, wins / np.maximum(pairs, 1e-300), np.nan), positives

    def _per_tie(self, weights: Floats) -> Floats:
        sums: Floats = np.add.reduceat(weights, self.tie_starts, axis=1)
        return sums


def pooled_auc(
    scores: NDArray[np.floating], labels: NDArray[np.integer], weights: Floats
) -> Floats:
    """Area under the ROC curve over all pulls together, [b]."""
    everything = np.zeros(len(scores), np.int64)
    auc: Floats = Ranking.of(scores, labels, everything).auc(weights)[0][:, 0]
    return auc


def within_auc(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    weights: Floats,
) -> tuple[Floats, Floats]:
    """Mean of each repository's own AUC, [b]: plain, and weighted by its positives.

    Repositories whose pulls are all of one class have no AUC and are left out.
    """
    auc, positives = Ranking.of(scores, labels, groups).auc(weights)
    known = ~np.isnan(auc)
    area = np.where(known, auc, 0.0)
    plain = _ratio(area.sum(axis=1), known.sum(axis=1).astype(np.float64))
    weight = np.where(known, positives, 0.0)
    return plain, _ratio((area * weight).sum(axis=1), weight.sum(axis=1))


def average_precision(
    scores: NDArray[np.floating], labels: NDArray[np.integer], weights: Floats
) -> Floats:
    """Area under the precision-recall curve as the mean precision at each positive, [b]."""
    ranking = Ranking.of(-scores, labels, np.zeros(len(scores), np.int64))
    sorted_weights = weights[:, ranking.order]
    positive = np.add.reduceat(sorted_weights * ranking.positive, ranking.tie_starts, axis=1)
    everyone = np.add.reduceat(sorted_weights, ranking.tie_starts, axis=1)
    caught, seen = np.cumsum(positive, axis=1), np.cumsum(everyone, axis=1)
    precision = caught / np.maximum(seen, 1e-300)
    return _ratio((precision * positive).sum(axis=1), caught[:, -1])


def top_share(
    scores: NDArray[np.floating], groups: NDArray[np.integer], share: float
) -> NDArray[np.bool_]:
    """Which pulls are among the `share` with the highest score of their own group, bool [n].

    Each group gives floor(share x its size + ½) pulls, at least one; ties go to the earlier row.
    """
    order = np.lexsort((-scores, groups))
    group = groups[order]
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    sizes = np.diff(np.r_[starts, len(group)])
    quota = np.maximum(1, np.floor(share * sizes + 0.5)).astype(np.int64)
    rank = np.arange(len(group)) - np.repeat(starts, sizes)
    chosen = np.zeros(len(group), bool)
    chosen[order] = rank < np.repeat(quota, sizes)
    return chosen


def recall(flagged: NDArray[np.bool_], labels: NDArray[np.integer], weights: Floats) -> Floats:
    """Share of the positives that are flagged, [b]."""
    positive = weights * (labels == 1)
    return _ratio(positive @ flagged.astype(np.float64), positive.sum(axis=1))


def precision(flagged: NDArray[np.bool_], labels: NDArray[np.integer], weights: Floats) -> Floats:
    """Share of the flagged that are positive, [b]."""
    chosen = weights[:, flagged]
    return _ratio((chosen * (labels[flagged] == 1)).sum(axis=1), chosen.sum(axis=1))


def f1(flagged: NDArray[np.bool_], labels: NDArray[np.integer], weights: Floats) -> Floats:
    """Harmonic mean of precision and recall, [b]."""
    both = precision(flagged, labels, weights), recall(flagged, labels, weights)
    return _ratio(2 * both[0] * both[1], both[0] + both[1])


def brier(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], weights: Floats
) -> Floats:
    """Mean squared difference between probability and outcome (Brier 1950), [b]."""
    return _ratio(weights @ np.square(probabilities - labels), weights.sum(axis=1))


@dataclass(frozen=True, slots=True)
class Reliability:
    """A calibration curve: bins of equal size, mean prediction, share of positives, pulls."""

    predicted: Floats
    observed: Floats
    pulls: NDArray[np.int64]

    @classmethod
    def of(
        cls, probabilities: NDArray[np.floating], labels: NDArray[np.integer], *, bins: int = 10
    ) -> "Reliability":
        """Cut n pulls, sorted by probability, into `bins` of equal size."""
        order = np.argsort(probabilities, kind="stable")
        parts = [part for part in np.array_split(order, bins) if len(part)]
        return cls(
            np.array([probabilities[part].mean() for part in parts], np.float64),
            np.array([(labels[part] == 1).mean() for part in parts], np.float64),
            np.array([len(part) for part in parts], np.int64),
        )

    @property
    def expected_error(self) -> float:
        """Expected calibration error (Naeini et al. 2015) over bins of equal size."""
        gap = np.abs(self.predicted - self.observed)
        return float(np.average(gap, weights=self.pulls))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator, NaN where there is nothing to divide by."""
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1.0), np.nan)
