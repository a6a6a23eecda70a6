"""How well scores of n pulls order them: every figure of it, under many bootstrap weights."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.train.metrics import Floats, Ranking, ratio, top_share

SHARES: Final = (0.05, 0.10, 0.30)
"""Shares of each repository's pulls at which it is counted what they hold."""
_CHUNK: Final = 25


def ranking_figures(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    weights: Floats,
    like: NDArray[np.integer] | None = None,
) -> dict[str, Floats]:
    """Every ranking figure of one model under each of the weights [b, n], by name, [b] each.

    `like` [n] is the same for pulls of like size (`sizes.like_size`); without it there is no
    `like_size_auc`. `top_5` is the share of the positives among the riskiest 5 % of each
    repository, `precision_5` the share of positives there, `lift_5` that divided by the share
    of positives over all.
    """
    draw = _drawing(scores, labels, groups, like)
    starts = range(0, len(weights), _CHUNK)  # in chunks, to bound the memory
    parts = [draw(weights[start : start + _CHUNK]) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _drawing(
    scores: NDArray[np.floating],
    labels: NDArray[np.integer],
    groups: NDArray[np.integer],
    like: NDArray[np.integer] | None,
) -> Callable[[Floats], dict[str, Floats]]:
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

    def draw(weights: Floats) -> dict[str, Floats]:
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


def _riskiest(sums: Floats, everyone: Floats) -> dict[str, Floats]:
    """Share caught, precision and lift of the flags; `sums` [b, 2 flags + 1] are the weights of
    the positives in each flag, of all in each flag, and of all positives.
    """
    count = sums.shape[1] // 2
    hits, flagged, positives = sums[:, :count], sums[:, count:-1], sums[:, -1]
    names = ("pooled_top_10", *(f"top_{round(100 * share)}" for share in SHARES))
    caught = {name: ratio(hits[:, at], positives) for at, name in enumerate(names)}
    base = ratio(positives, everyone)
    found = {}
    for at, share in enumerate(SHARES, start=1):
        percent, precision = round(100 * share), ratio(hits[:, at], flagged[:, at])
        found[f"precision_{percent}"] = precision
        found[f"lift_{percent}"] = ratio(precision, base)
    return caught | found
