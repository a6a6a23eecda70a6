"""How well scores of n pulls order them: every figure of it, under many bootstrap weights.

Large changes need more fixes, and whoever counts lines knows that. So a model is also judged
among pulls of like size, where counting lines helps little, and on pulls that change code.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from pullrisk.arrays import Bools, Float64, Floats, Int64, Ints
from pullrisk.train.dataset import Dataset
from pullrisk.train.metrics import Ranking, ratio, top_share

SHARES: Final = (0.05, 0.10, 0.30)
"""Shares of each repository's pulls at which it is counted what they hold."""
_CHUNK: Final = 25
ADDITIONS: Final = "additions"
CODE_ADDED: Final = "code_added"
CODE_REMOVED: Final = "code_removed"
LEAST_CODE: Final = 3
"""Changed code lines from which on a pull counts as a code pull."""


def ranking_figures(
    scores: Floats, labels: Ints, groups: Ints, weights: Float64, like: Ints | None = None
) -> dict[str, Float64]:
    """Every ranking figure of one model under each of the weights [b, n], by name, [b] each.

    `like` [n] is the same for pulls of like size (`like_size`); without it there is no
    `like_size_auc`. `top_5` is the share of the positives among the riskiest 5 % of each
    repository, `precision_5` the share of positives there, `lift_5` that divided by the share
    of positives over all.
    """
    draw = _drawing(scores, labels, groups, like)
    starts = range(0, len(weights), _CHUNK)  # in chunks, to bound the memory
    parts = [draw(weights[start : start + _CHUNK]) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _drawing(
    scores: Floats, labels: Ints, groups: Ints, like: Ints | None
) -> Callable[[Float64], dict[str, Float64]]:
    """What gives the figures under some weights: all sorting is done before."""
    everything = np.zeros(len(scores), np.int64)
    pooled = Ranking.of(scores, labels, everything)
    falling = Ranking.of(-scores, labels, everything)
    within = Ranking.of(scores, labels, groups)
    known = None if like is None else np.flatnonzero(like >= 0)
    alike = None
    if like is not None and known is not None and len(known):
        alike = Ranking.of(scores[known], labels[known], like[known])
    flags = np.column_stack(
        [
            top_share(scores, everything, 0.10),
            *(top_share(scores, groups, share) for share in SHARES),
        ]
    )
    positive = labels == 1
    counted = np.column_stack([flags & positive[:, None], flags, positive]).astype(np.float64)

    def draw(weights: Float64) -> dict[str, Float64]:
        plain, weighted = within.mean_auc(weights)
        drawn = {
            "pooled_auc": pooled.auc(weights)[0][:, 0],
            "within_auc": plain,
            "within_auc_weighted": weighted,
            "average_precision": falling.precision(weights),
        }
        if alike is not None and known is not None:
            drawn["like_size_auc"] = alike.mean_auc(np.take(weights, known, axis=1))[1]
        return drawn | _riskiest(weights @ counted, weights.sum(axis=1))

    return draw


def _riskiest(sums: Float64, everyone: Float64) -> dict[str, Float64]:
    """Share caught, precision and lift of the flags; `sums` [b, 2 flags + 1] are the weights of
    the positives in each flag, of all in each flag, and of all positives.
    """
    count = sums.shape[1] // 2
    hits, flagged, positives = sums[:, :count], sums[:, count:-1], sums[:, -1]
    names = ("pooled_top_10", *(f"top_{round(100 * share)}" for share in SHARES))
    caught = {name: ratio(hits[:, at], positives) for at, name in enumerate(names)}
    base = ratio(positives, everyone)
    figures = {}
    for at, share in enumerate(SHARES, start=1):
        percent, precision = round(100 * share), ratio(hits[:, at], flagged[:, at])
        figures[f"precision_{percent}"] = precision
        figures[f"lift_{percent}"] = ratio(precision, base)
    return caught | figures


def sizes(pulls: Dataset) -> Float64 | None:
    """Code lines added of each pull, lines added where code lines are unknown, [n].

    NaN where neither is known. None if the table has no column of lines added.
    """
    code, lines = column(pulls, CODE_ADDED), column(pulls, ADDITIONS)
    if code is None or lines is None:
        return lines if code is None else code
    return np.where(np.isnan(code), lines, code)


def like_size(groups: Ints, sizes: Floats) -> Int64:
    """A number for each pull [n], the same for two where they are of like size; -1 if unknown.

    Of like size are pulls of one repository (`groups` [n]) whose `sizes` [n], one line added to
    each, fall between the same two powers of two: 0, 1-2, 3-6, 7-14, ... So the larger one has
    less than twice the lines of the smaller one, that one line counted in.
    """
    _, doublings = np.frexp(np.maximum(sizes, 0) + 1.0)  # exact, where a logarithm may round
    place = groups.astype(np.int64) * (np.finfo(np.float64).maxexp + 1) + doublings
    return np.where(np.isnan(sizes), -1, place)


def code_pulls(pulls: Dataset) -> Bools | None:
    """Which pulls are known to change at least LEAST_CODE code lines, [n].

    None if the table has no columns of code lines, or all their values are unknown.
    """
    added, removed = column(pulls, CODE_ADDED), column(pulls, CODE_REMOVED)
    if added is None or removed is None or np.isnan(added).all():
        return None
    return np.asarray(added + removed >= LEAST_CODE)


def column(pulls: Dataset, name: str) -> Float64 | None:
    """The raw values of a feature, [n], NaN where unknown; None if the table lacks it."""
    if name not in pulls.names:
        return None
    return pulls.x[:, pulls.names.index(name)].astype(np.float64)
