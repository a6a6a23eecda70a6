"""Figures of merit, each a vectorised function of bootstrap weights.

Every figure takes `weights`, float [b, n]: how often each pull counts in each of b resamples
(all ones for the plain figure), and returns [b]. So an interval costs one array operation, and
two models judged with the same weights give a paired difference.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pullrisk.arrays import Bools, Float64, Floats, Indices, Int64, Ints

_BINS: Final = 10


def bootstrap_weights(n: int, *, resamples: int, seed: int) -> Float64:
    """All ones, for the plain figure, then the weights of so many resamples: [1 + resamples, n].

    They are Poisson(1), as Chamandy et al. 2012 (Google) propose.
    """
    drawn = np.random.default_rng(seed).poisson(1.0, size=(resamples, n))
    return np.vstack([np.ones(n), drawn])


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of n pulls sorted once within their groups, for figures under many weights.

    Sums are needed at the p positives only, and those are few. `positives` [p] and `negatives`
    [q] are rows in order of group and score. Of each positive, `below` counts the negatives in
    front of its tie, `upto` those up to the tie's end and `caught` the positives up to there;
    `group` is its group's place among the groups, which start at `group_positives` and
    `group_negatives` [groups + 1].
    """

    positives: Indices
    negatives: Indices
    below: Indices
    upto: Indices
    caught: Indices
    group: Indices
    group_positives: Indices
    group_negatives: Indices

    @classmethod
    def of(cls, scores: Floats, labels: Ints, groups: Ints) -> "Ranking":
        """Sort `scores` [n] within `groups` [n]; `labels` [n] are 0 or 1."""
        order = np.lexsort((scores, groups))
        group, score, positive = groups[order], scores[order], labels[order] == 1
        new_group = np.r_[True, group[1:] != group[:-1]]
        new_tie = new_group | np.r_[True, score[1:] != score[:-1]]
        negatives_before = np.r_[0, np.cumsum(~positive)]
        ties = np.r_[np.flatnonzero(new_tie), len(order)]
        tie = np.cumsum(new_tie)[positive] - 1
        below, upto = negatives_before[ties[tie]], negatives_before[ties[tie + 1]]
        starts = np.r_[np.flatnonzero(new_group), len(order)]
        return cls(
            positives=order[positive],
            negatives=order[~positive],
            below=below,
            upto=upto,
            caught=ties[tie + 1] - upto,
            group=np.cumsum(new_group)[positive] - 1,
            group_positives=starts - negatives_before[starts],
            group_negatives=negatives_before[starts],
        )

    def auc(self, weights: Float64) -> tuple[Float64, Float64]:
        """Area under the ROC curve of each group and its weight of positives, [b, groups] each.

        NaN where a group has only one class. Ties count one half (Mann and Whitney 1947).
        """
        seen = _running(weights, self.negatives)
        positive = np.take(weights, self.positives, axis=1)
        beaten = (seen[:, self.below] + seen[:, self.upto]) / 2
        beaten -= seen[:, self.group_negatives][:, self.group]
        wins = np.diff(_sums(positive * beaten)[:, self.group_positives], axis=1)
        positives = np.diff(_sums(positive)[:, self.group_positives], axis=1)
        pairs = positives * np.diff(seen[:, self.group_negatives], axis=1)
        return np.where(pairs > 0, wins / np.maximum(pairs, 1e-300), np.nan), positives

    def mean_auc(self, weights: Float64) -> tuple[Float64, Float64]:
        """Mean of the groups' AUCs, [b]: plain, and weighted by their positives.

        Groups whose pulls are all of one class have no AUC and are left out.
        """
        auc, positives = self.auc(weights)
        known = ~np.isnan(auc)
        area = np.where(known, auc, 0.0)
        plain = ratio(area.sum(axis=1), known.sum(axis=1).astype(np.float64))
        weight = np.where(known, positives, 0.0)
        return plain, ratio((area * weight).sum(axis=1), weight.sum(axis=1))

    def precision(self, weights: Float64) -> Float64:
        """Mean over the positives of the precision from the first pull to each one's tie, [b].

        It is the average precision if the scores were sorted from high to low, in one group.
        """
        positive = np.take(weights, self.positives, axis=1)
        caught = _sums(positive)[:, self.caught]
        seen = caught + _running(weights, self.negatives)[:, self.upto]
        precision = caught / np.maximum(seen, 1e-300)
        return ratio((precision * positive).sum(axis=1), positive.sum(axis=1))


def _running(weights: Float64, rows: Indices) -> Float64:
    """The weights of `rows` summed up from the first, with a 0 in front: [b, rows + 1]."""
    return _sums(np.take(weights, rows, axis=1))


def _sums(values: Float64) -> Float64:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def pooled_auc(scores: Floats, labels: Ints, weights: Float64) -> Float64:
    """Area under the ROC curve over all pulls together, [b]."""
    everything = np.zeros(len(scores), np.int64)
    auc: Float64 = Ranking.of(scores, labels, everything).auc(weights)[0][:, 0]
    return auc


def within_auc(
    scores: Floats, labels: Ints, groups: Ints, weights: Float64
) -> tuple[Float64, Float64]:
    """Mean of each repository's own AUC, [b]: plain, and weighted by its positives.

    Repositories whose pulls are all of one class have no AUC and are left out.
    """
    return Ranking.of(scores, labels, groups).mean_auc(weights)


def average_precision(scores: Floats, labels: Ints, weights: Float64) -> Float64:
    """Area under the precision-recall curve as the mean precision at each positive, [b]."""
    everything = np.zeros(len(scores), np.int64)
    return Ranking.of(-scores, labels, everything).precision(weights)


def top_share(scores: Floats, groups: Ints, share: float) -> Bools:
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


def recall(flagged: Bools, labels: Ints, weights: Float64) -> Float64:
    """Share of the positives that are flagged, [b]."""
    positive = weights * (labels == 1)
    return ratio(positive @ flagged.astype(np.float64), positive.sum(axis=1))


def precision(flagged: Bools, labels: Ints, weights: Float64) -> Float64:
    """Share of the flagged that are positive, [b]."""
    chosen = weights[:, flagged]
    return ratio((chosen * (labels[flagged] == 1)).sum(axis=1), chosen.sum(axis=1))


def f1(flagged: Bools, labels: Ints, weights: Float64) -> Float64:
    """Harmonic mean of precision and recall, [b]."""
    both = precision(flagged, labels, weights), recall(flagged, labels, weights)
    return ratio(2 * both[0] * both[1], both[0] + both[1])


def brier(probabilities: Floats, labels: Ints, weights: Float64) -> Float64:
    """Mean squared difference between probability and outcome (Brier 1950), [b]."""
    return ratio(weights @ np.square(probabilities - labels), weights.sum(axis=1))


@dataclass(frozen=True, slots=True)
class Reliability:
    """A calibration curve: bins of equal size, mean prediction, share of positives, pulls."""

    predicted: Float64
    observed: Float64
    pulls: Int64

    @classmethod
    def of(cls, probabilities: Floats, labels: Ints) -> "Reliability":
        """Cut n pulls, sorted by probability, into ten bins of equal size."""
        order = np.argsort(probabilities, kind="stable")
        parts = [part for part in np.array_split(order, _BINS) if len(part)]
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


def ratio(numerator: Float64, denominator: Float64) -> Float64:
    """Numerator over denominator, element by element; NaN where the denominator is 0 or NaN."""
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1.0), np.nan)
