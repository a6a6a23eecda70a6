"""The AUC of injected anomalies."""

import numpy as np

from pullrisk.model.distribution import Distribution
from pullrisk.train.novelty import (
    ALL_KINDS,
    NORMAL,
    Detector,
    Injected,
    judge_alarm,
    judge_novelty,
)
from support.training import shared_training


def test_rows_like_the_ordinary_ones_are_not_told_apart_and_broken_ones_are() -> None:
    data, trained = shared_training()
    ordinary = data.x[trained.split.test]
    broken = ordinary[:200].copy()
    broken[:, 4] = -broken[:, 4]  # the size relative to usual no longer fits the size
    injected = Injected(ordinary[::2], {"same": ordinary[1::2], "broken": broken})
    found = judge_novelty(trained.bundle, injected, None, resamples=50, seed=0)
    same, odd = found.ours["same"], found.ours["broken"]
    assert same.low is not None
    assert same.high is not None
    assert same.low < 0.5 < same.high or abs((same.value or 0) - 0.5) < 0.05
    assert (odd.value or 0) > (same.value or 0) + 0.1
    mean = found.ours[ALL_KINDS].value
    assert mean is not None
    assert np.isclose(mean, ((same.value or 0) + (odd.value or 0)) / 2)
    assert found.isolation_forest == found.difference == {}


def test_an_error_is_ranked_among_those_of_its_own_repository() -> None:
    scores = np.r_[np.linspace(1, 2, 500), np.linspace(11, 12, 500)]
    codes = np.repeat(np.array([0, 1]), 500)
    usual = Distribution.of(scores, codes, ["calm", "wild"])
    detector = Detector(lambda x: x[:, 0].astype(np.float64), usual)
    x = np.array([[5.0], [5.0], [11.9], [30.0]], np.float32)
    calm, wild, late, beyond = detector.ranks(x, ["calm", "wild", "wild", "wild"])
    assert wild < 0.1 < 0.7 < calm
    assert 0.8 < late < 1 < beyond


def test_an_anomaly_must_stand_out_in_its_own_repository() -> None:
    data, trained = shared_training()
    own = data.x[trained.split.test & (data.repository == 0)]
    name, other = data.repositories[:2]
    kinds = {"here": own, "there": own}
    rows = len(own)
    named = {NORMAL: [name] * rows, "here": [name] * rows, "there": [other] * rows}
    found = judge_novelty(
        trained.bundle, Injected(own, kinds, named), None, resamples=20, seed=0
    ).ours
    assert found["here"].value == 0.5
    assert found["there"].value != 0.5


def test_alarms_come_about_as_often_as_was_asked_for() -> None:
    data, trained = shared_training()
    past = data.x[~trained.split.test]
    later = data.take(trained.split.test)
    rare, common = (judge_alarm(trained.bundle, past, later, rate=rate) for rate in (0.02, 0.3))
    assert rare.threshold > common.threshold
    assert rare.flagged < 0.1
    assert 0.2 < common.flagged < 0.4
    errors = trained.bundle.raw(past)[1]
    assert np.isclose(rare.blueprint_threshold, errors.mean() + 2 * errors.std())
    assert 0 <= rare.blueprint_flagged < 0.2
