"""Platt scaling finds the true map and never turns the order round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullrisk.model.statistics import (
    ERROR_CAP,
    Calibration,
    Distribution,
    NoveltyStatistics,
    RepositoryMedians,
    fit_platt,
    novelty_error,
    sigmoid,
    whitening,
)


def test_it_finds_the_slope_and_intercept_that_made_the_labels() -> None:
    random = np.random.default_rng(0)
    logit = random.normal(-2, 1.5, 200_000)
    labels = (random.random(200_000) < sigmoid(0.6 * logit - 0.5)).astype(np.int8)
    found = fit_platt(logit, labels)
    assert found.slope == pytest.approx(0.6, abs=0.02)
    assert found.intercept == pytest.approx(-0.5, abs=0.03)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(-20, 20), st.integers(0, 1)), min_size=1, max_size=40))
def test_risks_are_probabilities_in_the_order_of_the_logits(rows: list[tuple[float, int]]) -> None:
    logit, labels = (np.array(column) for column in zip(*rows, strict=True))
    found = fit_platt(logit, labels, prior=10)
    assert found.slope > 0
    risk = found.apply(np.sort(logit))
    assert ((risk >= 0) & (risk <= 1)).all()
    assert (np.diff(risk) >= 0).all()


def test_labels_of_one_class_keep_the_slope_and_meet_the_base_rate() -> None:
    logit = np.random.default_rng(0).normal(size=500)
    found = fit_platt(logit, np.zeros(500, np.int8))
    assert found.slope == 1
    assert found.apply(logit).mean() == pytest.approx(0.5 / 501, rel=1e-3)


def test_labels_against_the_logit_do_not_turn_the_order_round() -> None:
    logit = np.linspace(-3, 3, 400)
    found = fit_platt(logit, (logit < 0).astype(np.int8))
    assert found.slope == 1
    assert found.apply(logit).mean() == pytest.approx(0.5, abs=0.01)


def test_a_prior_holds_the_slope_near_one_where_labels_are_few() -> None:
    logit, labels = np.array([-1.0, -0.5, 0.5, 1.0]), np.array([0, 0, 1, 1])
    free, held = fit_platt(logit, labels), fit_platt(logit, labels, prior=1000)
    assert abs(held.slope - 1) < 0.01 < abs(free.slope - 1)


def test_no_logit_overflows() -> None:
    assert Calibration(1.0, 0.0).apply(np.array([-1e6, 1e6])).tolist() == [0.0, 1.0]


RANDOM = np.random.default_rng(0)
SCORES = np.r_[RANDOM.normal(0, 1, 50_000), RANDOM.normal(5, 1, 20)]
CODES = np.r_[np.zeros(50_000, int), np.ones(20, int)]
FOUND = Distribution.of(SCORES, CODES, ("o/old", "o/young", "o/empty"))


def test_the_threshold_of_a_large_repository_is_its_own_quantile() -> None:
    own = SCORES[CODES == 0]
    assert (own > FOUND.threshold(0.05, "o/old")).mean() == pytest.approx(0.05, abs=0.002)
    assert (own > FOUND.threshold(0.20, "o/old")).mean() == pytest.approx(0.20, abs=0.002)


def test_a_young_repository_is_drawn_towards_the_pooled_distribution() -> None:
    pooled, young = FOUND.threshold(0.5), FOUND.threshold(0.5, "o/young")
    own = float(np.median(SCORES[CODES == 1]))
    assert young == pytest.approx(pooled + (own - pooled) * 20 / 220, abs=0.02)


@pytest.mark.parametrize("name", ["o/empty", "o/unknown", None])
def test_a_repository_without_pulls_has_the_pooled_distribution(name: str | None) -> None:
    assert FOUND.threshold(0.05, name) == FOUND.threshold(0.05)


def test_the_percentile_is_the_share_of_pulls_below() -> None:
    scores = np.array([-10.0, 0.0, 1.0, 10.0])
    own = SCORES[CODES == 0]
    expected = [100 * (own < score).mean() for score in scores]
    assert FOUND.percentile(scores, "o/old") == pytest.approx(expected, abs=0.3)


def test_a_few_scores_have_the_percentiles_that_they_have_among_many() -> None:
    tied = Distribution.of(np.repeat([1.0, 2.0, 3.0], 100), np.zeros(300, int), ("o/r",))
    for name, found in (("o/old", FOUND), ("o/r", tied)):
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


GENERATOR = np.random.default_rng(0)
MIX = GENERATOR.normal(size=(8, 8)).astype(np.float32)
ORDINARY = (GENERATOR.normal(size=(20_000, 8)) @ MIX).astype(np.float32)


def test_ordinary_residuals_have_unit_variance_in_every_direction() -> None:
    whitened = ORDINARY @ whitening(ORDINARY, np.zeros(8, np.intp))
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(4), atol=0.05)
    ordinary = NoveltyStatistics.of(ORDINARY, ORDINARY)
    assert novelty_error(ORDINARY, ORDINARY, ordinary).mean() == pytest.approx(1, abs=0.02)


def test_breaking_what_usually_goes_together_costs_more_than_an_ordinary_large_pull() -> None:
    ordinary = NoveltyStatistics.of(ORDINARY, ORDINARY)
    variance, axes = np.linalg.eigh(np.cov(ORDINARY.T))
    usual, odd = (3 * axes[:, place].astype(np.float32)[None] for place in (-1, 0))
    assert variance[0] < variance[-1]
    still = np.zeros_like(odd) + ordinary.centre
    errors = [novelty_error(still, residual, ordinary)[0] for residual in (odd, usual)]
    assert errors[0] > 5 * errors[1]


def test_a_row_far_from_recent_ones_is_novel_even_where_it_is_rebuilt() -> None:
    ordinary = NoveltyStatistics.of(ORDINARY, ORDINARY)
    rebuilt = np.zeros((1, 8), np.float32)
    far = ordinary.centre + 3 * ordinary.spread
    assert novelty_error(far[None], rebuilt, ordinary)[0] == pytest.approx(4.5, rel=1e-4)
    assert novelty_error(ordinary.centre[None], rebuilt, ordinary)[0] == pytest.approx(0)


def test_an_input_that_is_often_far_out_weighs_less_than_one_that_never_was() -> None:
    z = ORDINARY / ORDINARY.std(axis=0)
    z[::50, 0] = 20.0
    ordinary = NoveltyStatistics.of(z, ORDINARY)
    own = ordinary.shares[-8:]
    assert own[0] < own[1:].min() / 5
    assert ordinary.shares[:-8].sum() == pytest.approx(0.5)
    assert own.sum() == pytest.approx(0.5)


def test_no_direction_adds_more_than_the_cap() -> None:
    far = np.full((1, 8), 1e6, np.float32)
    error = novelty_error(far, far, NoveltyStatistics.of(ORDINARY, ORDINARY))
    assert error[0] == pytest.approx(ERROR_CAP)


def test_fewer_rows_than_features_do_not_make_everything_else_novel() -> None:
    ordinary = NoveltyStatistics.of(ORDINARY, ORDINARY[:4])
    assert novelty_error(ORDINARY[4:2000], ORDINARY[4:2000], ordinary).mean() < 5


def test_medians_leave_out_what_is_unknown_and_are_unknown_where_nobody_knows() -> None:
    x = np.array([[1, np.nan, np.nan], [3, 8, np.nan], [5, 6, np.nan]], np.float32)
    row = RepositoryMedians.of(x, np.zeros(3, np.int32), ("o/a",)).row("o/a")
    np.testing.assert_array_equal(row, np.array([3, 7, np.nan], np.float32))


TOGETHER = np.array([0, 0, 0, 0, 0, 0, 1, 1])


def test_what_is_unknown_adds_nothing_to_an_error_and_takes_nothing_off() -> None:
    ordinary = NoveltyStatistics.of(ORDINARY, ORDINARY, TOGETHER)
    gaps = ORDINARY.copy()
    gaps[:, 6] = np.nan
    whole, known = (novelty_error(z, z, ordinary) for z in (ORDINARY, gaps))
    assert known.mean() == pytest.approx(whole.mean(), abs=0.02)
    assert np.corrcoef(whole, known)[0, 1] > 0.8


def test_what_is_nearly_always_known_is_whitened_without_what_may_be_unknown() -> None:
    mixed = NoveltyStatistics.of(ORDINARY, ORDINARY, TOGETHER).mixed.astype(bool)
    later = mixed[6:].any(axis=0)
    assert mixed.shape == (8, 4)
    assert mixed[:6, ~later].all()
    assert later.any()
    assert not later.all()


def test_a_feature_that_no_pull_knew_counts_for_nothing_once_it_is_known() -> None:
    blind = ORDINARY.copy()
    blind[:, 7] = np.nan
    ordinary = NoveltyStatistics.of(blind, blind, TOGETHER)
    unknown, known = (novelty_error(z, z, ordinary) for z in (blind, ORDINARY))
    np.testing.assert_allclose(known, unknown, rtol=1e-6)


def test_a_pull_of_which_nothing_is_known_is_not_novel() -> None:
    nothing = np.full((1, 8), np.nan, np.float32)
    assert novelty_error(nothing, nothing, NoveltyStatistics.of(ORDINARY, ORDINARY)).tolist() == [0]
