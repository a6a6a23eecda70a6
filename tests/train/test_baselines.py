"""The baselines learn, and only from what they may."""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from pullrisk.train import baselines as tested
from pullrisk.train.baselines import (
    BOOSTING,
    ISOLATION,
    LINES_ADDED,
    LOGISTIC,
    MOST_NEGATIVES,
    Past,
    Scorer,
    _tuned,
    isolation_forest,
    learners,
    line_counters,
)
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.metrics import pooled_auc
from support.tables import FEATURES
from support.training import shared_training

TREES = tested._TREES


@pytest.fixture(scope="module", autouse=True)
def _every_tree(_few_trees: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tested, "_TREES", TREES)
        yield


def past() -> Past:
    data, trained = shared_training()
    rows = ~trained.split.test
    labels = data.labels(known_at=trained.split.test_from)
    return Past(data.x[rows], labels[rows], trained.split.validation[rows])


def baselines(found: Past) -> dict[str, Scorer]:
    forest = isolation_forest(found.x, seed=0, threads=1)
    counters = line_counters([feature.name for feature in FEATURES])
    return counters | {ISOLATION: forest} | learners(found, FEATURES, seed=0, threads=1)


@cache
def scorers() -> dict[str, Scorer]:
    return baselines(past())


@pytest.mark.parametrize("name", [LOGISTIC, BOOSTING])
def test_supervised_baselines_rank_unseen_pulls_well(name: str) -> None:
    data, trained = shared_training()
    labels = data.labels()
    rows = trained.split.test & (labels != UNKNOWN)
    scorer = scorers()[name]
    ones = np.ones((1, rows.sum()))
    assert pooled_auc(scorer(data.x[rows]), labels[rows], ones)[0] > 0.7


def test_lines_added_is_the_raw_column() -> None:
    data, _ = shared_training()
    scorer = scorers()[LINES_ADDED]
    assert (scorer(data.x) == data.x[:, 0]).all()


@pytest.mark.parametrize("name", [LINES_ADDED, LOGISTIC, BOOSTING, ISOLATION])
def test_rows_with_unknown_values_are_scored_too(name: str) -> None:
    found = past()
    unknown = np.random.default_rng(0).random(found.x.shape) < 0.1
    unknown[:, 5] = True
    gaps = np.where(unknown, np.float32(np.nan), found.x)
    learnt = baselines(Past(gaps, found.labels, found.validation))
    assert np.isfinite(learnt[name](gaps)).all()


def test_isolation_forest_finds_an_outlier() -> None:
    scorer = scorers()[ISOLATION]
    usual = np.median(past().x, axis=0, keepdims=True)
    assert scorer(usual * 100)[0] > scorer(usual)[0]


def test_the_best_setting_on_validation_is_fitted_on_all_of_the_past() -> None:
    seen: list[tuple[int, list[int]]] = []

    def fit(x: np.ndarray, labels: np.ndarray, settings: Sequence[int]) -> dict[int, Scorer]:
        seen.append((len(x), list(settings)))
        return {column: lambda rows, column=column: rows[:, column] for column in settings}  # type: ignore[misc]

    labels = np.array([0, 1, 0, 1, 0, 1], np.int8)
    x = np.column_stack([1 - labels, labels]).astype(np.float32)
    found = Past(x, labels, np.arange(6) >= 4)
    assert _tuned(found, fit, [0, 1])(x).tolist() == x[:, 1].tolist()
    assert seen == [(4, [0, 1]), (6, [1])]


def test_where_positives_are_rare_a_share_of_the_negatives_is_learnt_from() -> None:
    labels = np.r_[np.ones(3), np.zeros(200), np.full(50, UNKNOWN)].astype(np.int8)
    x = np.arange(len(labels), dtype=np.float32)[:, None]
    found = Past(x, labels, np.arange(len(labels)) % 2 == 0).thinned(0)
    assert (found.labels == 1).sum() == 3
    assert (found.labels == 0).sum() == 3 * MOST_NEGATIVES
    assert (labels[found.x[:, 0].astype(int)] == found.labels).all()
    assert (found.validation == (found.x[:, 0] % 2 == 0)).all()


@pytest.mark.parametrize("trees", [3, 7])
def test_the_first_trees_of_a_larger_fit_are_a_smaller_one(trees: int) -> None:
    """So one fit judges every number of trees."""
    x, labels = past().labelled(past().validation)
    few, many = (
        HistGradientBoostingClassifier(max_iter=n, early_stopping=False, random_state=0).fit(
            x, labels
        )
        for n in (trees, 9)
    )
    staged = next(islice(many.staged_decision_function(x), trees - 1, None))
    np.testing.assert_array_equal(staged.ravel(), few.decision_function(x))


def test_labels_of_one_class_leave_the_unsupervised_baselines() -> None:
    found = past()
    one_class = Past(found.x, np.zeros_like(found.labels), found.validation)
    assert set(baselines(one_class)) == {LINES_ADDED, ISOLATION}
