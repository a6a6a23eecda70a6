"""What is unlike recent pulls costs more, and what nobody knows costs nothing."""

import numpy as np
import pytest

from pullrisk.model.novelty import ERROR_CAP, NoveltyStatistics, novelty_error, whitening

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
