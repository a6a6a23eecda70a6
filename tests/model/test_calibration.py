"""Platt scaling finds the true map and never turns the order round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pullrisk.model.calibration import Calibration, fit_platt, sigmoid


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
