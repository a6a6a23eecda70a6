"""Parts of an evaluation on cases small enough to work out by hand."""

import numpy as np
import pytest

from pullrisk.train import figures, metrics
from pullrisk.train.ranking import ranking_figures

LABELS = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 0], np.int8)
SCORES = np.array([0.9, 0.8, 0.1, 0.1, 0.1, 0.2, 0.3, 0.1, 0.1, 0.4])
GROUPS = np.repeat([0, 1], 5)


def test_an_interval_is_the_middle_of_the_draws_around_the_plain_figure() -> None:
    draws = np.r_[7.0, np.arange(101.0)]
    found = figures.interval(draws)
    assert (found.value, found.low, found.high) == (7.0, 2.5, 97.5)


def test_an_undefined_figure_has_no_value_and_undefined_draws_are_left_out() -> None:
    assert figures.interval(np.array([np.nan, 1.0])).value is None
    assert figures.interval(np.array([1.0, np.nan, 2.0])).high == 2.0
    assert figures.interval(np.array([1.0])).low is None


def test_an_operating_point_counts_hits_and_misses() -> None:
    flagged = SCORES >= 0.4
    found = figures.operating(flagged, LABELS)
    assert found.flagged == pytest.approx(0.3)
    assert found.precision == pytest.approx(1 / 3)
    assert found.recall == pytest.approx(1 / 2)
    assert found.f1 == pytest.approx(0.4)


def test_flagging_nothing_has_no_precision() -> None:
    assert figures.operating(np.zeros(10, bool), LABELS).precision is None


def test_elevated_or_high_includes_the_high_ones() -> None:
    bands = np.array(["high", "elevated"] + ["low"] * 8)
    found = figures.bands(bands, LABELS)
    assert found["high"].flagged == pytest.approx(0.1)
    assert found["elevated_or_high"].flagged == pytest.approx(0.2)


def test_the_capture_curve_goes_from_nothing_to_everything() -> None:
    curve = figures.capture(SCORES, LABELS, GROUPS)
    assert (curve.x[0], curve.y[0]) == (0, 0)
    assert (curve.x[-1], curve.y[-1]) == (1, 1)
    assert curve.y[curve.x.index(0.2)] == 0.5
    assert (np.diff(curve.y) >= 0).all()


def test_each_repository_has_figures_of_its_own() -> None:
    first, second = figures.by_repository(SCORES, LABELS * (GROUPS == 0), GROUPS, ("o/a", "o/b"))
    assert (first.pulls, first.positives, first.top_10) == (5, 2, 0.5)
    assert first.auc == pytest.approx(4 / 6, abs=0.1)
    assert (second.positives, second.auc, second.top_10) == (0, None, None)


def test_the_base_rate_has_its_own_brier_score_to_beat() -> None:
    found = figures.probability(np.full(10, 0.2), LABELS)
    assert found.brier == pytest.approx(found.brier_of_base_rate) == pytest.approx(0.16)
    assert found.expected_calibration_error == pytest.approx(0.32)  # bins of one pull each


def test_chunks_of_resamples_give_what_one_array_gives() -> None:
    random = np.random.default_rng(0)
    weights = random.poisson(1.0, (120, 10)).astype(float)
    whole = ranking_figures(SCORES, LABELS, GROUPS, weights)
    for place in (0, 49, 50, 119):
        single = ranking_figures(SCORES, LABELS, GROUPS, weights[place : place + 1])
        for name in whole:
            np.testing.assert_array_equal(whole[name][place], single[name][0])


BEFORE = {
    "pooled_auc": (0.7339856437129835, 0.6659595926978387, 0.808304764841975),
    "within_auc": (0.7423138631915844, 0.6862111219236384, 0.8181897077597288),
    "within_auc_weighted": (0.7346714028808196, 0.6664056034384311, 0.8053294596321828),
    "average_precision": (0.3319199557393232, 0.24057191959505464, 0.4452447829814171),
    "top_5": (0.2028985507246377, 0.11105090725806452, 0.3067513368983957),
    "top_10": (0.2753623188405797, 0.16497395833333334, 0.36629570747217804),
    "top_30": (0.6231884057971014, 0.5312316715542522, 0.7203638497652582),
    "pooled_top_10": (0.2753623188405797, 0.16497395833333334, 0.36629570747217804),
}
"""What the code before sums at the positives alone gave for `drawn()`."""


def drawn() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray]:
    """Every figure of 600 made pulls under 61 weights; labels, flags of the top 10 %, weights."""
    random = np.random.default_rng(5)
    groups, labels = random.integers(0, 4, 600), (random.random(600) < 0.1).astype(np.int8)
    scores = np.round(random.normal(size=600) + labels, 1)
    weights = metrics.bootstrap_weights(600, resamples=60, seed=9)
    flags = metrics.top_share(scores, groups, 0.10)
    return ranking_figures(scores, labels, groups, weights), labels, flags, weights


@pytest.mark.parametrize("name", BEFORE)
def test_figures_of_earlier_evaluations_are_what_they_were(name: str) -> None:
    found = figures.interval(drawn()[0][name])
    assert (found.value, found.low, found.high) == pytest.approx(BEFORE[name], rel=1e-12)


def test_lift_is_the_precision_of_the_riskiest_over_that_of_all_in_every_resample() -> None:
    found, labels, flags, weights = drawn()
    precision = metrics.precision(flags, labels, weights)
    np.testing.assert_allclose(found["precision_10"], precision)
    base = (weights * labels).sum(axis=1) / weights.sum(axis=1)
    np.testing.assert_allclose(found["lift_10"], precision / base)
