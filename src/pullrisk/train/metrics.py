"""Figures of merit, each a vectorised function of bootstrap weights.

Every figure takes `weights`, float [b, n]: how often each pull counts in each of b resamples
(all ones for the plain figure), and returns [b]. So an interval costs one array operation, and
two models judged with the same weights give a paired difference.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


def poisson_weights(n: int, *, resamples: int, seed: int) -> Floats:
    """Bootstrap weights [resamples, n]; Poisson(1), as Chamandy et al. 2012 (Google) propose."""
    generator = np.random.default_rng(seed)
    return generator.poisson(1.0, size=(resamples, n)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores of n pulls sorted once within their groups, for figures under many weights.

    Sums are needed at the p positives only, and those are few. `positives` [p] and `negatives`
    [q] are rows in order of group and score. Of each positive, `below` counts the negatives in
    front of its tie, `upto` those up to the tie's end and `caught` the positives up to there;
    `group` is its group's place among the groups, which start at `group_positives` and
    `group_negatives` [groups + 1].
    """

    positives: Places
    negatives: Places
    below: Places
    upto: Places
    caught: Places
    group: Places
    group_positives: Places
    group_negatives: Places

    @classmethod
    def of(
        cls, scores: NDArray[np.floating], labels: NDArray[np.integer], groups: NDArray[np.integer]
    ) -> "Ranking":
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

    def auc(self, weights: Floats) -> tuple[Floats, Floats]:
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

    def mean_auc(self, weights: Floats) -> tuple[Floats, Floats]:
        """Mean of the groups' AUCs, [b]: plain, and weighted by their positives.

        Groups whose pulls are all of one class have no AUC and are left out.
        """
        auc, positives = self.auc(weights)
        known = ~np.isnan(auc)
        area = np.where(known, auc, 0.0)
        plain = ratio(area.sum(axis=1), known.sum(axis=1).astype(np.float64))
        weight = np.where(known, positives, 0.0)
        return plain, ratio((area * weight).sum(axis=1), weight.sum(axis=1))

    def precision(self, weights: Floats) -> Floats:
        """Mean over the positives of the precision from the first pull to each one's tie, [b].

        It is the average precision if the scores were sorted from high to low, in one group.
        """
        positive = np.take(weights, self.positives, axis=1)
        caught = _sums(positive)[:, self.caught]
        seen = caught + _running(weights, self.negatives)[:, self.upto]
        precision = caught / np.maximum(seen, 1e-300)
        return ratio((precision * positive).sum(axis=1), positive.sum(axis=1))


def _running(weights: Floats, rows: Places) -> Floats:
    """The weights of `rows` summed up from the first, with a 0 in front: [b, rows + 1]."""
    return _sums(np.take(weights, rows, axis=1))


def _sums(values: Floats) -> Floats:
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
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
    return Ranking.of(scores, labels, groups).mean_auc(weights)


def average_precision(
    scores: NDArray[np.floating], labels: NDArray[np.integer], weights: Floats
) -> Floats:
    """Area under the precision-recall curve as the mean precision at each positive, [b]."""
    everything = np.zeros(len(scores), np.int64)
    return Ranking.of(-scores, labels, everything).precision(weights)


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
    return ratio(positive @ flagged.astype(np.float64), positive.sum(axis=1))


def precision(flagged: NDArray[np.bool_], labels: NDArray[np.integer], weights: Floats) -> Floats:
    """Share of the flagged that are positive, [b]."""
    chosen = weights[:, flagged]
    return ratio((chosen * (labels[flagged] == 1)).sum(axis=1), chosen.sum(axis=1))


def f1(flagged: NDArray[np.bool_], labels: NDArray[np.integer], weights: Floats) -> Floats:
    """Harmonic mean of precision and recall, [b]."""
    both = precision(flagged, labels, weights), recall(flagged, labels, weights)
    return ratio(2 * both[0] * both[1], both[0] + both[1])


def brier(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], weights: Floats
) -> Floats:
    """Mean squared difference between probability and outcome (Brier 1950), [b]."""
    return ratio(weights @ np.square(probabilities - labels), weights.sum(axis=1))


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


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Numerator over denominator, element by element; NaN where the denominator is 0 or NaN."""
    known = denominator > 0
    return np.where(known, numerator / np.where(known, denominator, 1.0), np.nan)
