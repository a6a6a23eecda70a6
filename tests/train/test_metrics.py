"""Figures of merit against scikit-learn and plain loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)

from pullrisk.train import metrics
from pullrisk.train.metrics import Reliability


def sample(n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Scores with many ties, labels, groups, and one row of integer weights."""
    random = np.random.default_rng(seed)
    labels = (random.random(n) < 0.2).astype(np.int8)
    scores = np.round(random.normal(size=n) + labels, 1)
    weights = random.integers(0, 4, size=(1, n)).astype(float)
    return scores, labels, random.integers(0, 5, n), weights


@pytest.mark.parametrize("seed", range(5))
def test_pooled_auc_is_that_of_scikit_learn_with_ties_and_weights(seed: int) -> None:
    scores, labels, _, weights = sample(seed=seed)
    expected = roc_auc_score(labels, scores, sample_weight=weights[0])
    assert metrics.pooled_auc(scores, labels, weights)[0] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    scores, labels, _, weights = sample(seed=seed)
    expected = average_precision_score(labels, scores, sample_weight=weights[0])
    assert metrics.average_precision(scores, labels, weights)[0] == pytest.approx(expected)


def test_within_auc_is_the_mean_over_repositories_plain_and_by_positives() -> None:
    scores, labels, groups, _ = sample()
    labels[groups == 3] = 0
    ones = np.ones((1, len(labels)))
    own = [roc_auc_score(labels[groups == g], scores[groups == g]) for g in (0, 1, 2, 4)]
    positives = [labels[groups == g].sum() for g in (0, 1, 2, 4)]
    plain, weighted = metrics.within_auc(scores, labels, groups, ones)
    assert plain[0] == pytest.approx(np.mean(own))
    assert weighted[0] == pytest.approx(np.average(own, weights=positives))


def test_a_weight_of_two_is_a_row_that_comes_twice() -> None:
    scores, labels, groups, weights = sample()
    repeated = np.repeat(np.arange(len(labels)), weights[0].astype(int))
    ones = np.ones((1, len(repeated)))
    for figure in (metrics.pooled_auc, metrics.average_precision):
        once = figure(scores, labels, weights)
        assert once == pytest.approx(figure(scores[repeated], labels[repeated], ones))
    within = metrics.within_auc(scores, labels, groups, weights)
    again = metrics.within_auc(scores[repeated], labels[repeated], groups[repeated], ones)
    assert np.ravel(within) == pytest.approx(np.ravel(again))


def test_flags_are_judged_as_scikit_learn_does() -> None:
    scores, labels, groups, _ = sample()
    ones = np.ones((1, len(labels)))
    flags = metrics.top_share(scores, groups, 0.2)
    for ours, theirs in (
        (metrics.recall, recall_score),
        (metrics.precision, precision_score),
        (metrics.f1, f1_score),
    ):
        assert ours(flags, labels, ones)[0] == pytest.approx(theirs(labels, flags))
    chances = 1 / (1 + np.exp(-scores))
    assert metrics.brier(chances, labels, ones)[0] == pytest.approx(
        brier_score_loss(labels, chances)
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=60),
       st.floats(0.01, 0.99))  # fmt: skip
def test_each_repository_flags_its_own_share_of_highest_scores(
    rows: list[tuple[int, int]], share: float
) -> None:
    groups, scores = (np.array(column) for column in zip(*rows, strict=True))
    flags = metrics.top_share(scores.astype(float), groups, share)
    for group in set(groups.tolist()):
        own, flagged = scores[groups == group], flags[groups == group]
        assert flagged.sum() == max(1, int(share * len(own) + 0.5))
        if (~flagged).any():
            assert own[flagged].min() >= own[~flagged].max()


def test_figures_without_both_classes_are_nan_and_not_an_error() -> None:
    labels, ones = np.zeros(5, np.int8), np.ones((1, 5))
    scores = np.arange(5.0)
    assert np.isnan(metrics.pooled_auc(scores, labels, ones)[0])
    assert np.isnan(metrics.average_precision(scores, labels, ones)[0])
    assert np.isnan(metrics.within_auc(scores, labels, np.zeros(5, int), ones)).all()


def test_calibration_error_is_zero_for_honest_probabilities_and_the_gap_for_others() -> None:
    random = np.random.default_rng(0)
    chances = random.uniform(0, 0.5, 200_000)
    labels = (random.random(200_000) < chances).astype(np.int8)
    assert Reliability.of(chances, labels).expected_error < 0.005
    assert Reliability.of(chances + 0.1, labels).expected_error == pytest.approx(0.1, abs=0.005)


def test_bootstrap_weights_are_resamples_in_the_mean_and_repeat_with_the_seed() -> None:
    weights = metrics.bootstrap_weights(1000, resamples=50, seed=3)
    assert (weights[0] == 1).all()
    assert weights.mean() == pytest.approx(1, abs=0.02)
    assert weights.var() == pytest.approx(1, abs=0.05)
    assert (weights == metrics.bootstrap_weights(1000, resamples=50, seed=3)).all()
