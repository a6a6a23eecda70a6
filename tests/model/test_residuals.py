"""Whitening of residuals."""

import numpy as np
import pytest

from pullrisk.model.residuals import ERROR_CAP, novelty_error, whitening

RANDOM = np.random.default_rng(0)
MIX = RANDOM.normal(size=(8, 8)).astype(np.float32)
ORDINARY = (RANDOM.normal(size=(20_000, 8)) @ MIX).astype(np.float32)


def test_ordinary_residuals_have_unit_variance_in_every_direction() -> None:
    whitened = ORDINARY @ whitening(ORDINARY)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(4), atol=0.05)
    assert novelty_error(ORDINARY, whitening(ORDINARY)).mean() == pytest.approx(1, abs=0.02)


def test_breaking_what_usually_goes_together_costs_more_than_an_ordinary_large_pull() -> None:
    directions = whitening(ORDINARY)
    variance, axes = np.linalg.eigh(np.cov(ORDINARY.T))
    usual, odd = (3 * axes[:, place].astype(np.float32)[None] for place in (-1, 0))
    assert variance[0] < variance[-1]
    assert novelty_error(odd, directions)[0] > 5 * novelty_error(usual, directions)[0]


def test_no_direction_adds_more_than_the_cap() -> None:
    error = novelty_error(np.full((1, 8), 1e6, np.float32), whitening(ORDINARY))
    assert error[0] == pytest.approx(ERROR_CAP)


def test_fewer_rows_than_features_do_not_make_everything_else_novel() -> None:
    directions = whitening(ORDINARY[:4])
    assert novelty_error(ORDINARY[4:2000], directions).mean() < 5
