"""Quantiles, percentiles and medians are a repository's own where it has enough pulls."""

import numpy as np
import pytest

from pullrisk.model.distribution import Distribution, RepositoryMedians

RANDOM = np.random.default_rng(0)
SCORES = np.r_[RANDOM.normal(0, 1, 50_000), RANDOM.normal(5, 1, 20)]
CODES = np.r_[np.zeros(50_000, int), np.ones(20, int)]
OF_BOTH = Distribution.of(SCORES, CODES, ("o/old", "o/young", "o/empty"))


def test_the_threshold_of_a_large_repository_is_its_own_quantile() -> None:
    own = SCORES[CODES == 0]
    assert (own > OF_BOTH.threshold(0.05, "o/old")).mean() == pytest.approx(0.05, abs=0.002)
    assert (own > OF_BOTH.threshold(0.20, "o/old")).mean() == pytest.approx(0.20, abs=0.002)


def test_a_young_repository_is_drawn_towards_the_pooled_distribution() -> None:
    pooled, young = OF_BOTH.threshold(0.5), OF_BOTH.threshold(0.5, "o/young")
    own = float(np.median(SCORES[CODES == 1]))
    assert young == pytest.approx(pooled + (own - pooled) * 20 / 220, abs=0.02)


@pytest.mark.parametrize("name", ["o/empty", "o/unknown", None])
def test_a_repository_without_pulls_has_the_pooled_distribution(name: str | None) -> None:
    assert OF_BOTH.threshold(0.05, name) == OF_BOTH.threshold(0.05)


def test_the_percentile_is_the_share_of_pulls_below() -> None:
    scores = np.array([-10.0, 0.0, 1.0, 10.0])
    own = SCORES[CODES == 0]
    expected = [100 * (own < score).mean() for score in scores]
    assert OF_BOTH.percentile(scores, "o/old") == pytest.approx(expected, abs=0.3)


def test_a_few_scores_have_the_percentiles_that_they_have_among_many() -> None:
    tied = Distribution.of(np.repeat([1.0, 2.0, 3.0], 100), np.zeros(300, int), ("o/r",))
    for name, found in (("o/old", OF_BOTH), ("o/r", tied)):
        scores = np.concatenate([[-9.0, 1.0, 2.0, 3.0, 9.0], np.linspace(-5, 5, 101)])
        together = found.percentile(scores, name)
        alone = [found.percentile(scores[place : place + 1], name)[0] for place in range(106)]
        assert alone == pytest.approx(together, abs=1e-4)


def test_percentiles_of_equal_scores_are_defined() -> None:
    flat = Distribution.of(np.ones(300), np.zeros(300, int), ("o/r",))
    found = flat.percentile(np.array([0.5, 1.5]), "o/r")
    assert found.tolist() == [0.0, 100.0]


def test_the_typical_pull_is_the_median_of_the_repository_or_of_all() -> None:
    x = np.array([[1, 10], [3, 30], [100, 0], [100, 0], [100, 0]], np.float32)
    typical = RepositoryMedians.of(x, np.array([0, 0, 1, 1, 1]), ("o/a", "o/b"))
    assert typical.row("o/a").tolist() == [2, 20]
    assert typical.row("o/c").tolist() == [100, 0]


def test_medians_leave_out_what_is_unknown_and_are_unknown_where_nobody_knows() -> None:
    x = np.array([[1, np.nan, np.nan], [3, 8, np.nan], [5, 6, np.nan]], np.float32)
    row = RepositoryMedians.of(x, np.zeros(3, np.int32), ("o/a",)).row("o/a")
    np.testing.assert_array_equal(row, np.array([3, 7, np.nan], np.float32))
