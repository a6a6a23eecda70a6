"""How a model does for kinds of pulls, and what its use costs: on n later pulls with a risk."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from pullrisk.arrays import Bools, Float64, Int8, Ints
from pullrisk.pulls.code import language_of
from pullrisk.pulls.file_kinds import path_facts
from pullrisk.train import metrics
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import OURS, Cost, Interval, Segment
from pullrisk.train.figures import interval
from pullrisk.train.judged import Judged
from pullrisk.train.metrics import Ranking, Reliability, bootstrap_weights
from pullrisk.train.ranking import SHARES, column

FLAGGED: Final = 0.10
"""The share of each repository's pulls that counts as flagged within a segment."""
_CHUNK: Final = 25
_LANGUAGES_SHOWN: Final = 8
_SMALL, _LARGE = 2_000, 10_000
_SIZES: Final = ("under 2,000 pulls", "2,000 to 10,000", "over 10,000")
_NEWNESS: Final = ("first pull", "1 to 9 pulls before", "10 to 99 before", "100 or more before")


def segments(dataset: Dataset, judged: Judged, *, resamples: int, seed: int) -> list[Segment]:
    """Figures by size of the repository, by how new the author is, for bots and people, for pulls
    that a coding agent had a hand in, and by the commonest languages.

    Kinds whose feature the table lacks, and segments without pulls, are left out.
    """
    flagged = metrics.top_share(judged.scores[OURS], judged.groups, FLAGGED)
    figures = []
    for kind, masks in _kinds(dataset, judged):
        for name, rows in masks.items():
            if rows.any():
                weights = bootstrap_weights(int(rows.sum()), resamples=resamples, seed=seed)
                figures.append(_segment(kind, name, judged, rows, flagged, weights))
    return figures


def costs(judged: Judged, *, resamples: int, seed: int) -> list[Cost]:
    """Reviews asked for each positive caught, when every repository reviews its riskiest share."""
    labels, positives = judged.labels, int((judged.labels == 1).sum())
    weights = bootstrap_weights(len(labels), resamples=resamples, seed=seed)
    figures = []
    for share in SHARES:
        flagged = metrics.top_share(judged.scores[OURS], judged.groups, share)
        precision = metrics.precision(flagged, labels, weights)
        with np.errstate(divide="ignore"):
            reviews = np.where(precision > 0, 1 / precision, np.nan)
        figures.append(
            Cost(
                share=share,
                reviews=int(flagged.sum()),
                caught=int((flagged & (labels == 1)).sum()),
                caught_share=interval(metrics.recall(flagged, labels, weights)),
                reviews_per_catch=interval(reviews),
                reviews_per_catch_at_random=len(labels) / positives if positives else None,
            )
        )
    return figures


def _kinds(dataset: Dataset, judged: Judged) -> Iterator[tuple[str, Mapping[str, Bools]]]:
    pulls, merged_ever = dataset.take(judged.rows), np.bincount(dataset.repository)
    place = np.digitize(merged_ever[judged.groups], (_SMALL, _LARGE + 1))
    yield "repository", {name: place == at for at, name in enumerate(_SIZES)}
    bot = column(pulls, "author_bot")
    if bot is not None:
        yield "account", {"person": bot == 0, "bot": bot > 0}
    agent = column(pulls, "author_agent")
    if agent is not None:
        yield "coding agent", {"not named": agent == 0, "named": agent > 0}
    merged = column(pulls, "author_merged")
    if merged is not None:
        person = ~np.isnan(merged) if bot is None else (bot == 0) & ~np.isnan(merged)
        place = np.digitize(merged, (1, 10, 100))
        yield "author", {name: person & (place == at) for at, name in enumerate(_NEWNESS)}
    if pulls.texts is not None:
        yield "language", _languages(pulls.texts["paths"].to_pylist())


def _languages(pulls: Sequence[Sequence[str] | None]) -> dict[str, Bools]:
    """Which pulls are mostly of a language, for the commonest, from the paths of each pull [n].

    A language is the ending of its source files; a pull is of the one that most of them have.
    """
    ending = {path: _ending(path) for paths in pulls for path in paths or ()}
    counts = (Counter(ending[path] for path in paths or () if ending[path]) for paths in pulls)
    most = [max(count, key=count.__getitem__, default="") for count in counts]
    common = Counter(name for name in most if name).most_common(_LANGUAGES_SHOWN)
    own = np.array(most, np.str_)
    return {name: own == name for name, _ in common}


def _ending(path: str) -> str:
    return f".{path_facts(path).extension}" if language_of(path) else ""


def _segment(
    kind: str, name: str, judged: Judged, rows: Bools, flagged: Bools, weights: Float64
) -> Segment:
    labels, risk, flags = judged.labels[rows], judged.scores[OURS][rows], flagged[rows]
    like = None if judged.like is None else judged.like[rows]
    return Segment(
        kind=kind,
        name=name,
        pulls=len(labels),
        positives=int((labels == 1).sum()),
        auc=_auc(risk, labels, judged.groups[rows], weights),
        like_size_auc=Interval(None) if like is None else _auc(risk, labels, like, weights),
        flagged=float(flags.mean()),
        caught=interval(metrics.recall(flags, labels, weights)),
        precision=interval(metrics.precision(flags, labels, weights)),
        predicted=float(risk.mean()),
        observed=interval(_share(labels, weights)),
        calibration_error=Reliability.of(risk, labels).expected_error,
    )


def _auc(risk: Float64, labels: Int8, groups: Ints, weights: Float64) -> Interval:
    """The AUC within groups, weighted by positives; rows of a group below 0 do not count."""
    known = np.flatnonzero(groups >= 0)
    if not len(known):
        return Interval(None)
    ranking = Ranking.of(risk[known], labels[known], groups[known])
    parts = [  # in chunks, to bound the memory
        ranking.mean_auc(np.take(weights[start : start + _CHUNK], known, axis=1))[1]
        for start in range(0, len(weights), _CHUNK)
    ]
    return interval(np.concatenate(parts))


def _share(labels: Int8, weights: Float64) -> Float64:
    everyone = weights.sum(axis=1)
    return np.asarray(weights @ (labels == 1) / np.where(everyone > 0, everyone, np.nan))
