"""The parts of an evaluation, each from scores, labels and repository codes of n pulls."""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.arrays import Bools, Float32, Float64, Floats, Int8, Int64, Ints
from pullrisk.model.bundle import Bundle
from pullrisk.model.categories import CATEGORIES
from pullrisk.model.category_rules import category_by_rules
from pullrisk.train import metrics
from pullrisk.train.categories import UNSTATED, stated_categories
from pullrisk.train.dataset import Dataset
from pullrisk.train.evaluation import (
    Categories,
    CategoryFigures,
    Curve,
    Interval,
    Operating,
    Probability,
    RepositoryFigures,
)
from pullrisk.train.metrics import Reliability, bootstrap_weights
from pullrisk.train.table_columns import pull_texts, texts_of_rows

OPERATING_SHARES: Final = {"top 5 %": 0.05, "top 20 %": 0.20}
"""Each repository's own riskiest shares at which every model's F1 is given."""
_PERCENTILES: Final = (2.5, 97.5)


def interval(draws: Float64) -> Interval:
    """The plain figure, which is draw 0, and the 95 % interval of the other draws."""
    value, others = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    if np.isnan(value):
        return Interval(None)
    if not len(others):
        return Interval(value)
    low, high = np.percentile(others, _PERCENTILES)
    return Interval(value, float(low), float(high))


def operating(flagged: Bools, labels: Ints) -> Operating:
    """Precision, recall and F1 of a flag."""
    ones = np.ones((1, len(labels)))

    def one(figure: Callable[..., Float64]) -> float | None:
        value = float(figure(flagged, labels, ones)[0])
        return None if np.isnan(value) else value

    share = float(flagged.mean()) if len(flagged) else 0.0
    return Operating(share, one(metrics.precision), one(metrics.recall), one(metrics.f1))


def top_shares(scores: Floats, labels: Ints, groups: Ints) -> dict[str, Operating]:
    """F1, precision and recall at each repository's own top shares."""
    return {
        name: operating(metrics.top_share(scores, groups, share), labels)
        for name, share in OPERATING_SHARES.items()
    }


def bands(named: NDArray[np.str_], labels: Ints) -> dict[str, Operating]:
    """How the model's own bands [n] do: `high`, and `elevated` together with it."""
    return {
        "high": operating(named == "high", labels),
        "elevated_or_high": operating(named != "low", labels),
    }


def probability(risk: Floats, labels: Ints) -> Probability:
    """Brier score, expected calibration error and calibration curve of probabilities [n]."""
    reliability = Reliability.of(risk, labels)
    ones = np.ones((1, len(labels)))
    base = float((labels == 1).mean())
    return Probability(
        brier=float(metrics.brier(risk, labels, ones)[0]),
        brier_of_base_rate=base * (1 - base),
        expected_calibration_error=reliability.expected_error,
        mean_predicted=float(risk.mean()),
        base_rate=base,
        calibration=Curve(reliability.predicted.tolist(), reliability.observed.tolist()),
    )


def capture(scores: Floats, labels: Ints, groups: Ints) -> Curve:
    """Share of the positives caught when each repository flags its own riskiest x."""
    shares = np.linspace(0, 1, 51)[1:]
    ones = np.ones((1, len(labels)))
    caught = [
        float(metrics.recall(metrics.top_share(scores, groups, share), labels, ones)[0])
        for share in shares
    ]
    return Curve([0.0, *shares.tolist()], [0.0, *caught])


def by_repository(
    scores: Floats | None, labels: Ints, groups: Ints, names: Sequence[str]
) -> list[RepositoryFigures]:
    """Every repository's own figures; repositories without test pulls are left out."""
    return [
        _one_repository(names[code], scores, labels, groups == code)
        for code in np.unique(groups).tolist()
    ]


def _one_repository(
    name: str, scores: Floats | None, labels: Ints, rows: Bools
) -> RepositoryFigures:
    own = labels[rows]
    pulls, positives = len(own), int((own == 1).sum())
    if scores is None or positives in (0, pulls):
        return RepositoryFigures(name, pulls, positives, None, None)
    ones = np.ones((1, pulls))
    top = metrics.top_share(scores[rows], np.zeros(pulls, np.int64), 0.10)
    auc = float(metrics.pooled_auc(scores[rows], own, ones)[0])
    return RepositoryFigures(name, pulls, positives, auc, float(metrics.recall(top, own, ones)[0]))


def judge_categories(
    bundle: Bundle, dataset: Dataset, rows: Bools, *, resamples: int, seed: int
) -> Categories | None:
    """Figures over those of the pulls `rows` [n] whose title or labels state a category.

    Macro-F1 is the mean over the categories that are stated there at all. None if the model
    tells no category, or no pull states one.
    """
    texts = texts_of_rows(dataset.texts, np.flatnonzero(rows))
    if texts is None or not bundle.metadata.categories:
        return None
    truth = stated_categories(texts)
    stated = np.flatnonzero(truth != UNSTATED)
    if not len(stated):
        return None
    pulls = pull_texts(texts.take(stated))
    probabilities = bundle.categories(dataset.x[rows][stated], pulls)
    assert probabilities is not None  # noqa: S101  (the model tells categories)
    place = {name: index for index, name in enumerate(CATEGORIES)}
    by_rule = np.array([place[category_by_rules(text)] for text in pulls], np.int64)
    names = np.array([place[name] for name in bundle.metadata.categories], np.int64)
    ours = names[probabilities.argmax(axis=1)]
    return _compared(truth[stated], probabilities, ours, by_rule, resamples, seed)


def _compared(
    truth: Int8, probabilities: Float32, ours: Int64, by_rule: Int64, resamples: int, seed: int
) -> Categories:
    weights = bootstrap_weights(len(truth), resamples=resamples, seed=seed)
    seen = np.unique(truth)
    own, rules = f1(ours, truth, weights, seen), f1(by_rule, truth, weights, seen)
    right = (ours == truth).astype(np.int8)
    return Categories(
        pulls=len(truth),
        macro_f1=interval(own.mean(axis=1)),
        rules_macro_f1=interval(rules.mean(axis=1)),
        difference=interval(own.mean(axis=1) - rules.mean(axis=1)),
        accuracy=float(right.mean()),
        rules_accuracy=float((by_rule == truth).mean()),
        expected_calibration_error=Reliability.of(probabilities.max(axis=1), right).expected_error,
        each=[
            CategoryFigures(
                category=CATEGORIES[category],
                pulls=int((truth == category).sum()),
                f1=interval(own[:, place]),
                rules_f1=interval(rules[:, place]),
            )
            for place, category in enumerate(seen.tolist())
        ],
    )


def f1(answers: Int64, truth: Int8, weights: Float64, of: Int8) -> Float64:
    """F1 of each category of `of` [k] in each resample of `weights` [b, n], [b, k]."""
    answered, true = answers[:, None] == of, truth[:, None] == of
    both = weights @ (answered & true)
    either = weights @ answered.astype(np.float64) + weights @ true.astype(np.float64)
    return np.asarray(np.divide(2 * both, either, out=np.zeros_like(both), where=either > 0))
