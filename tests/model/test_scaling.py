"""Scaling of raw features."""

import numpy as np

from pullrisk.model.scaling import CLIP, Scaling, piecewise_linear
from support.tables import FEATURES, NAMES

X = np.random.default_rng(0).lognormal(2, 1, (3000, len(NAMES))).astype(np.float32)


def test_scaled_rows_are_centred_with_unit_spread() -> None:
    x = X.copy()
    x[:, 2:] = np.random.default_rng(1).normal(4, 3, (3000, 4))
    z = Scaling.fit(x, FEATURES).apply(x)
    assert np.abs(z.mean(axis=0)).max() < 0.01
    assert np.abs(z.std(axis=0) - 1).max() < 0.02


def test_only_log_features_are_compressed_and_signs_are_kept() -> None:
    scaling = Scaling(
        np.array([feature.scale == "log" for feature in FEATURES]),
        np.zeros(6, np.float32),
        np.ones(6, np.float32),
    )
    z = scaling.apply(np.array([[np.e - 1, 1 - np.e, 0.5, 1, -2, 0]], np.float32))
    np.testing.assert_allclose(z, [[1, -1, 0.5, 1, -2, 0]], atol=1e-6)


def test_a_constant_feature_is_unknown_and_outliers_are_cut() -> None:
    x = X.copy()
    x[:, 5] = 7
    scaling = Scaling.fit(x, FEATURES)
    assert np.isnan(scaling.apply(x)[:, 5]).all()
    assert np.nanmax(scaling.apply(np.full((1, 6), 1e30, np.float32))) == CLIP


def test_the_rows_given_are_left_as_they_were() -> None:
    before = X.copy()
    Scaling.fit(X, FEATURES).apply(X)
    assert (before == X).all()


def filled(z: np.ndarray, pieces: int) -> np.ndarray:
    start, steepness = piecewise_linear(z, pieces)
    return np.asarray(np.clip((z[:, :, None] - start) * steepness, 0, 1))


def test_each_interval_holds_as_many_rows_as_any_other() -> None:
    z = np.random.default_rng(0).lognormal(size=(4_000, 1)).astype(np.float32)
    shares = filled(z, 8)[:, 0]
    inside = ((shares > 0) & (shares < 1)).mean(axis=0)
    np.testing.assert_allclose(inside, 1 / 8, atol=0.01)


def test_pieces_fill_up_one_after_the_other_and_keep_the_order_of_values() -> None:
    z = np.random.default_rng(1).normal(size=(500, 1)).astype(np.float32)
    shares = filled(z, 8)[:, 0]
    assert (np.diff(shares, axis=1) <= 0).all()
    np.testing.assert_array_equal(np.argsort(shares.sum(axis=1)), np.argsort(z[:, 0]))


def test_an_input_of_few_values_has_an_interval_between_any_two() -> None:
    z = np.array([[0], [1], [5], [1]], np.float32)
    assert filled(z, 8)[:, 0, :2].tolist() == [[0, 0], [1, 0], [1, 1], [1, 0]]
    assert (filled(z, 8)[:, 0, 2:] == 0).all()


def test_flags_and_constants_have_no_pieces() -> None:
    z = np.array([[0, 3], [1, 3], [0, 3]], np.float32)
    assert (filled(z, 4) == 0).all()


def test_values_beyond_what_was_measured_stay_between_none_and_full() -> None:
    z = np.random.default_rng(2).normal(size=(300, 1)).astype(np.float32)
    start, steepness = piecewise_linear(z, 4)
    far = (np.array([[-99], [99]], np.float32)[:, :, None] - start) * steepness
    assert np.clip(far, 0, 1).tolist() == [[[0, 0, 0, 0]], [[1, 1, 1, 1]]]


def test_unknown_values_stay_unknown_and_are_left_out_of_mean_and_spread() -> None:
    gaps = X.copy()
    gaps[::3, 4] = np.nan
    scaling = Scaling.fit(gaps, FEATURES)
    np.testing.assert_array_equal(np.isnan(scaling.apply(gaps)), np.isnan(gaps))
    known = scaling.apply(gaps)[:, 4][~np.isnan(gaps[:, 4])]
    assert abs(known.mean()) < 0.05
    assert np.isfinite(piecewise_linear(scaling.apply(gaps), 4)[1]).all()


def test_a_feature_that_hardly_a_row_of_the_training_knew_is_unknown_ever_after() -> None:
    gaps = X.copy()
    gaps[20:, 4] = np.nan
    assert np.isnan(Scaling.fit(gaps, FEATURES).apply(X)[:, 4]).all()
