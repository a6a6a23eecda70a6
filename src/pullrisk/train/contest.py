"""Two models on the same pulls: figures of each, and their paired difference with intervals."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle
from pullrisk.train import figures, metrics
from pullrisk.train.dataset import UNKNOWN, Dataset, Target
from pullrisk.train.evaluate import RESAMPLES
from pullrisk.train.metrics import Floats, poisson_weights
from pullrisk.train.predictions import recall, unseen
from pullrisk.train.report import Interval

BRIER: Final = "brier"
_SEED: Final = 20_240_602
Answers = Callable[[Dataset], NDArray[np.float64]]
"""The risk of each pull of a dataset, [n]; NaN where the model gives none or saw the pull."""


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """Two models on matured pulls that neither saw; `difference` is the first minus the second.

    The figures are empty where the window holds pulls of one class only.
    """

    target: str
    pulls: int
    positives: int
    repositories: int
    since: str | None
    until: str | None
    first: dict[str, Interval]
    second: dict[str, Interval]
    difference: dict[str, Interval]


def by_bundle(bundle: Bundle) -> Answers:
    """Answers of a model that can be run."""

    def answers(dataset: Dataset) -> NDArray[np.float64]:
        found = np.full(len(dataset), np.nan)
        rows = unseen(bundle, dataset)
        if bundle.metadata.risk_available and rows.any():
            found[rows] = bundle.raw(dataset.x[rows])[0]
        return found

    return answers


def by_record(data: bytes) -> Answers:
    """Answers that a model gave when it was trained, for pulls that it had not seen."""
    return lambda dataset: recall(data, dataset)


def contest(
    first: Answers,
    second: Answers,
    dataset: Dataset,
    *,
    target: Target = "reverted",
    since: datetime | None = None,
    resamples: int = RESAMPLES,
) -> Contest:
    """Judge both on the matured pulls for which both have an answer."""
    labels = dataset.labels(target)
    answers = first(dataset), second(dataset)
    rows = (labels != UNKNOWN) & ~np.isnan(answers[0]) & ~np.isnan(answers[1])
    if since is not None:
        rows &= dataset.merged_at >= int(since.timestamp() * 1_000_000)
    labels, groups = labels[rows], dataset.repository[rows]
    merged = dataset.merged_at[rows]
    drawn: tuple[dict[str, Floats], ...] = ({}, {})
    if (labels == 1).any() and (labels == 0).any():
        weights = poisson_weights(len(labels), resamples=resamples, seed=_SEED)
        weights = np.vstack([np.ones(len(labels)), weights])
        drawn = tuple(_draws(risk[rows], labels, groups, weights) for risk in answers)
    return Contest(
        target=target,
        pulls=len(labels),
        positives=int((labels == 1).sum()),
        repositories=len(np.unique(groups)),
        since=_day(merged.min()) if len(merged) else None,
        until=_day(merged.max()) if len(merged) else None,
        first={name: figures.interval(values) for name, values in drawn[0].items()},
        second={name: figures.interval(values) for name, values in drawn[1].items()},
        difference={name: figures.interval(drawn[0][name] - drawn[1][name]) for name in drawn[0]},
    )


def _draws(
    risk: NDArray[np.float64],
    labels: NDArray[np.int8],
    groups: NDArray[np.int32],
    weights: Floats,
) -> dict[str, Floats]:
    ranking = figures.ranking(risk, labels, groups, weights)
    return {**ranking, BRIER: metrics.brier(risk, labels, weights)}


def _day(moment: np.int64) -> str:
    return datetime.fromtimestamp(int(moment) / 1e6, UTC).date().isoformat()
