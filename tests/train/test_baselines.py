"""The baselines learn, and only from what they may."""

from functools import cache

import numpy as np
import pytest

from pullrisk.train.baselines import (
    BOOSTING,
    ISOLATION,
    LINES_ADDED,
    LOGISTIC,
    Past,
    Scorer,
    risk_baselines,
)
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.metrics import pooled_auc
from support.tables import FEATURES
from support.training import shared_training


def past() -> Past:
    data, trained = shared_training()
    rows = ~trained.split.test
    labels = data.labels(known_at=trained.split.test_from)
    return Past(data.x[rows], labels[rows], trained.split.validation[rows])


@cache
def scorers() -> dict[str, Scorer]:
    return risk_baselines(past(), FEATURES, seed=0, threads=1)


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
    learnt = risk_baselines(Past(gaps, found.labels, found.validation), FEATURES, seed=0, threads=1)
    assert np.isfinite(learnt[name](gaps)).all()


def test_isolation_forest_finds_an_outlier() -> None:
    scorer = scorers()[ISOLATION]
    usual = np.median(past().x, axis=0, keepdims=True)
    assert scorer(usual * 100)[0] > scorer(usual)[0]


def test_labels_of_one_class_leave_the_unsupervised_baselines() -> None:
    found = past()
    one_class = Past(found.x, np.zeros_like(found.labels), found.validation)
    assert set(risk_baselines(one_class, FEATURES, seed=0, threads=1)) == {LINES_ADDED, ISOLATION}
