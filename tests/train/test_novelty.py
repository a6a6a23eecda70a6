"""The AUC of injected anomalies."""

import numpy as np

from pullrisk.train.novelty import ALL_KINDS, Injected, judge_novelty
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
