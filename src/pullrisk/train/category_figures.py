"""How well categories are told: F1 beside the rules, on later pulls whose prefix is hidden."""

import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.rules import said_rule
from pullrisk.train import figures
from pullrisk.train.categories import UNSTATED, stated_categories
from pullrisk.train.dataset import Dataset
from pullrisk.train.metrics import Floats, Reliability, poisson_weights
from pullrisk.train.report import Categories, CategoryFigures
from pullrisk.train.said import each_said, said_of_rows


def judge_categories(
    bundle: Bundle, dataset: Dataset, rows: NDArray[np.bool_], *, resamples: int, seed: int
) -> Categories | None:
    """Figures over those of the pulls `rows` [n] whose title or labels state a category.

    Macro-F1 is the mean over the categories that are stated there at all. None where the model
    tells no category, or no pull states one.
    """
    said = said_of_rows(dataset.said, np.flatnonzero(rows))
    if said is None or not bundle.metadata.categories:
        return None
    truth = stated_categories(said)
    stated = np.flatnonzero(truth != UNSTATED)
    if not len(stated):
        return None
    pulls = each_said(said.take(stated))
    told = bundle.categories(dataset.x[rows][stated], pulls)
    assert told is not None  # noqa: S101  (the model tells categories)
    place = {name: index for index, name in enumerate(CATEGORIES)}
    by_rule = np.array([place[said_rule(one)] for one in pulls], np.int64)
    names = np.array([place[name] for name in bundle.metadata.categories], np.int64)
    return _compared(truth[stated], told, names[told.argmax(axis=1)], by_rule, resamples, seed)


def _compared(
    truth: NDArray[np.int8],
    told: NDArray[np.float32],
    ours: NDArray[np.int64],
    by_rule: NDArray[np.int64],
    resamples: int,
    seed: int,
) -> Categories:
    drawn = poisson_weights(len(truth), resamples=resamples, seed=seed)
    weights = np.vstack([np.ones(len(truth)), drawn])
    seen = np.unique(truth)
    own, rules = f1(ours, truth, weights, seen), f1(by_rule, truth, weights, seen)
    right = (ours == truth).astype(np.int8)
    return Categories(
        pulls=len(truth),
        macro_f1=figures.interval(own.mean(axis=1)),
        rules_macro_f1=figures.interval(rules.mean(axis=1)),
        difference=figures.interval(own.mean(axis=1) - rules.mean(axis=1)),
        accuracy=float(right.mean()),
        rules_accuracy=float((by_rule == truth).mean()),
        expected_calibration_error=Reliability.of(told.max(axis=1), right).expected_error,
        each=[
            CategoryFigures(
                category=CATEGORIES[category],
                pulls=int((truth == category).sum()),
                f1=figures.interval(own[:, place]),
                rules_f1=figures.interval(rules[:, place]),
            )
            for place, category in enumerate(seen.tolist())
        ],
    )


def f1(
    answers: NDArray[np.int64], truth: NDArray[np.int8], weights: Floats, of: NDArray[np.int8]
) -> Floats:
    """F1 of each category of `of` [k] in each resample of `weights` [b, n], [b, k]."""
    answered, true = answers[:, None] == of, truth[:, None] == of
    both = weights @ (answered & true)
    either = weights @ answered.astype(np.float64) + weights @ true.astype(np.float64)
    return np.asarray(np.divide(2 * both, either, out=np.zeros_like(both), where=either > 0))
