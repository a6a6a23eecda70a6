import numpy as np
import pytest
import scipy
from sklearn.metrics import roc_auc_score

from pullrisk.monitor.outcomes import (
    Matured,
    delong,
    judge,
    latest,
    poisson_interval,
    rolling,
    within_auc,
)

DAY = 86_400_000_000


def matured(n: int = 4000, *, scale: float = 1.0, days: float = 400, seed: int = 0) -> Matured:
    """Pulls whose outcomes come `scale` times as often as the risk says."""
    random = np.random.default_rng(seed)
    risk = random.beta(1, 40, n)
    labels = (random.random(n) < np.minimum(scale * risk, 1)).astype(np.int8)
    merged = np.sort(random.integers(0, int(days * DAY), n))
    return Matured(risk, labels, random.integers(0, 2, n).astype(np.int32), merged)


def test_the_ratio_s_interval_holds_one_where_the_model_is_calibrated() -> None:
    inside = 0
    for seed in range(60):
        ratio = judge(matured(seed=seed)).ratio
        inside += ratio.low <= 1 <= ratio.high
    assert inside >= 54


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_a_model_that_says_too_much_or_too_little_is_seen(scale: float) -> None:
    ratio = judge(matured(scale=scale)).ratio
    assert ratio.value == pytest.approx(scale, rel=0.35)
    assert not ratio.low <= 1 <= ratio.high


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_the_poisson_interval_agrees_with_the_exact_one(count: int) -> None:
    low = scipy.stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = scipy.stats.chi2.ppf(0.975, 2 * count + 2) / 2
    assert poisson_interval(count) == pytest.approx((low, high), rel=0.05, abs=0.02)


def test_the_area_is_sklearn_s_and_ties_count_half() -> None:
    random = np.random.default_rng(3)
    scores = np.round(random.random(500), 1)
    labels = (random.random(500) < 0.1 + 0.3 * scores).astype(np.int8)
    found = delong(scores, labels)
    assert found is not None
    assert found[0] == pytest.approx(roc_auc_score(labels, scores))


def test_the_area_s_variance_is_that_of_a_bootstrap() -> None:
    random = np.random.default_rng(4)
    labels = (np.arange(600) % 12 == 0).astype(np.int8)
    scores = random.normal(labels * 0.7, 1.0)
    found = delong(scores, labels)
    assert found is not None
    draws = []
    for _ in range(400):
        rows = random.integers(0, 600, 600)
        draws.append(roc_auc_score(labels[rows], scores[rows]))
    assert np.sqrt(found[1]) == pytest.approx(np.std(draws), rel=0.15)


def test_ranking_repositories_against_each_other_earns_nothing() -> None:
    labels = np.tile([0, 0, 0, 1], 100).astype(np.int8)
    groups = np.repeat([0, 1], 200).astype(np.int32)
    labels[groups == 0] = 0
    labels[:3] = 1
    risk = groups.astype(float)
    found = within_auc(Matured(risk, labels, groups, np.zeros(400, np.int64)))
    assert found is not None
    assert found.value == 0.5


def test_windows_are_90_days_back_from_the_latest_and_lose_nobody() -> None:
    found = rolling(matured(days=400))
    assert len(found) == 5
    assert sum(one.pulls for one in found) == 4000
    assert found[-1].pulls == pytest.approx(4000 * 90 / 400, rel=0.1)
    assert [one.since for one in found] == sorted(one.since for one in found)


def test_the_latest_window_is_as_long_as_asked() -> None:
    found = latest(matured(days=400), days=100)
    assert found is not None
    assert found.pulls == pytest.approx(1000, rel=0.1)


def test_without_known_outcomes_there_is_no_window() -> None:
    nothing = matured().between(-2, -1)
    assert rolling(nothing) == []
    assert latest(nothing, days=365) is None


def test_windows_without_outcomes_of_both_kinds_have_no_area() -> None:
    clean = matured()
    window = judge(Matured(clean.risk, np.zeros_like(clean.labels), clean.groups, clean.merged_at))
    assert window.auc is None
    assert window.ratio.value == 0
