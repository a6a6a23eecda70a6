"""Whitening of residuals."""

import numpy as np
import pytest

from pullrisk.model.residuals import ERROR_CAP, Ordinary, novelty_error, whitening

RANDOM = np.random.default_rng(0)
MIX = RANDOM.normal(size=(8, 8)).astype(np.float32)
ORDINARY = (RANDOM.normal(size=(20_000, 8)) @ MIX).astype(np.float32)


def test_ordinary_residuals_have_unit_variance_in_every_direction() -> None:
    whitened = ORDINARY @ whitening(ORDINARY)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(4), atol=0.05)
    ordinary = Ordinary.of(ORDINARY, ORDINARY)
    assert novelty_error(ORDINARY, ORDINARY, ordinary).mean() == pytest.approx(1, abs=0.02)


def test_breaking_what_usually_goes_together_costs_more_than_an_ordinary_large_pull() -> None:
    ordinary = Ordinary.of(ORDINARY, ORDINARY)
    variance, axes = np.linalg.eigh(np.cov(ORDINARY.T))
    usual, odd = (3 * axes[:, place].astype(np.float32)[None] for place in (-1, 0))
    assert variance[0] < variance[-1]
    still = np.zeros_like(odd) + ordinary.centre
    errors = [novelty_error(still, residual, ordinary)[0] for residual in (odd, usual)]
    assert errors[0] > 5 * errors[1]


def test_a_row_far_from_recent_ones_is_novel_even_where_it_is_rebuilt() -> None:
    ordinary = Ordinary.of(ORDINARY, ORDINARY)
    rebuilt = np.zeros((1, 8), np.float32)
    far = ordinary.centre + 3 * ordinary.spread
    assert novelty_error(far[None], rebuilt, ordinary)[0] == pytest.approx(4.5, rel=1e-4)
    assert novelty_error(ordinary.centre[None], rebuilt, ordinary)[0] == pytest.approx(0)


def test_an_input_that_is_often_far_out_weighs_less_than_one_that_never_was() -> None:
    z = ORDINARY / ORDINARY.std(axis=0)
    z[::50, 0] = 20.0
    ordinary = Ordinary.of(z, ORDINARY)
    own = ordinary.shares[-8:]
    assert own[0] < own[1:].min() / 5
    assert ordinary.shares[:-8].sum() == pytest.approx(0.5)
    assert own.sum() == pytest.approx(0.5)


def test_no_direction_adds_more_than_the_cap() -> None:
    far = np.full((1, 8), 1e6, np.float32)
    error = novelty_error(far, far, Ordinary.of(ORDINARY, ORDINARY))
    assert error[0] == pytest.approx(ERROR_CAP)


def test_fewer_rows_than_features_do_not_make_everything_else_novel() -> None:
    ordinary = Ordinary.of(ORDINARY, ORDINARY[:4])
    assert novelty_error(ORDINARY[4:2000], ORDINARY[4:2000], ordinary).mean() < 5
