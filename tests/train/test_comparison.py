"""Two models on the same pulls."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pullrisk.train.comparison import by_bundle, by_record, compare, record_predictions
from pullrisk.train.dataset import Dataset, Target
from support.training import quick_train, shared_training


def coin(dataset: Dataset, target: Target) -> NDArray[np.float64]:
    return np.random.default_rng(7).random(len(dataset))


def test_only_matured_pulls_that_neither_model_saw_count() -> None:
    data, trained = shared_training()
    half = data.take(data.merged_at < np.median(data.merged_at))
    older = quick_train(half)
    ours, theirs = by_bundle(trained.bundle), by_bundle(older.bundle)
    found = compare(ours, theirs, data, target="reverted", resamples=5)
    rows = data.since(trained.bundle.metadata.facts.trained_until) & (data.labels() >= 0)
    assert (
        rows.sum()
        < (data.since(older.bundle.metadata.facts.trained_until) & (data.labels() >= 0)).sum()
    )
    assert found.pulls == rows.sum()
    assert found.positives == (data.labels()[rows] == 1).sum()
    assert found.repositories == 2


def test_a_model_against_itself_differs_by_nothing_in_every_resample() -> None:
    data, trained = shared_training()
    answers = by_bundle(trained.bundle)
    found = compare(answers, answers, data, target="reverted", resamples=5)
    assert {(one.value, one.low, one.high) for one in found.difference.values()} == {(0, 0, 0)}


def test_a_model_that_learnt_beats_a_coin_and_the_interval_says_so() -> None:
    data, trained = shared_training()
    difference = compare(by_bundle(trained.bundle), coin, data, target="reverted").difference
    low = difference["within_auc_weighted"].low
    assert low is not None
    assert low > 0
    high = difference["brier"].high
    assert high is not None
    assert high < 0


def test_what_a_model_said_when_it_was_trained_gives_the_same_contest() -> None:
    data, trained = shared_training()
    saved = record_predictions(trained.bundle, data)
    assert saved is not None
    ran = compare(by_bundle(trained.bundle), coin, data, target="reverted", resamples=20)
    recorded = compare(by_record(saved), coin, data, target="reverted", resamples=20)
    assert recorded.pulls == ran.pulls
    for name, figure in ran.first.items():
        assert recorded.first[name].value == pytest.approx(figure.value, abs=1e-6)


def test_without_a_pull_in_common_there_is_a_contest_without_figures() -> None:
    data, trained = shared_training()
    saved = record_predictions(trained.bundle, data.take(data.repository == 0))
    assert saved is not None
    other = data.take(data.repository == 1)
    found = compare(by_record(saved), coin, other, target="reverted")
    assert (found.pulls, found.positives, found.since, found.difference) == (0, 0, None, {})
