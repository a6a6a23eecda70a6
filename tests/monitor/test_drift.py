import numpy as np
import pytest
import scipy

from pullrisk.model.reference import Reference, binned
from pullrisk.monitor.drift import Drift, benjamini_hochberg, compare, kolmogorov_smirnov
from pullrisk.options import MonitorOptions

COLUMNS = 40
NAMES = tuple(f"c{place}" for place in range(COLUMNS))


def reference(random: np.random.Generator) -> Reference:
    values = random.normal(size=(2000, COLUMNS))
    return Reference.of(values, np.zeros(2000, int), ("o/a",), columns=NAMES)


def look(values: np.ndarray, *, against: Reference, **options: float) -> Drift:
    period = ("2026-01-01", "2026-03-31")
    return compare(
        against, "o/a", values, period=period, options=MonitorOptions().model_copy(update=options)
    )


def test_nothing_drifts_where_nothing_changed() -> None:
    random = np.random.default_rng(1)
    against = reference(random)
    found = [look(random.normal(size=(200, COLUMNS)), against=against) for _ in range(25)]
    assert sum(len(one.drifted) for one in found) == 0


@pytest.mark.parametrize(("shift", "spread"), [(0.8, 1.0), (0.0, 2.5)])
def test_a_changed_column_is_found_and_stands_first(shift: float, spread: float) -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=(250, COLUMNS))
    values[:, 7] = random.normal(shift, spread, 250)
    found = look(values, against=reference(random))
    assert [column.name for column in found.drifted] == ["c7"]
    assert found.columns[0].name == "c7"
    assert found.columns[0].index > found.columns[0].limit


def test_a_column_that_always_wandered_may_wander_on() -> None:
    random = np.random.default_rng(3)
    values = random.normal(size=(2000, COLUMNS))
    level = np.repeat(random.normal(0, 2, 10), 200)
    values[:, 3] += level
    against = Reference.of(values, np.zeros(2000, int), ("o/a",), columns=NAMES)
    recent = random.normal(size=(200, COLUMNS))
    recent[:, 3] += 2.0
    assert "c3" in [one.name for one in look(recent, against=against, usual=0.0).drifted]
    assert look(recent, against=against).drifted == []


def test_a_repository_that_the_model_does_not_know_is_marked_so() -> None:
    random = np.random.default_rng(4)
    against = reference(random)
    values = random.normal(size=(200, COLUMNS))
    found = compare(against, "o/new", values, period=("a", "b"), options=MonitorOptions())
    assert not found.known
    assert look(values, against=against).known


def test_p_values_agree_with_scipy_s_where_binning_loses_nothing() -> None:
    random = np.random.default_rng(5)
    first = random.integers(0, 9, (800, 3)).astype(float)
    second = random.integers(0, 10, (300, 3)).astype(float)
    edges = np.tile(np.arange(9, dtype=np.float32), (3, 1))
    own = kolmogorov_smirnov(binned(first, edges), binned(second, edges))
    theirs = [
        scipy.stats.ks_2samp(first[:, place], second[:, place], method="asymp").pvalue
        for place in range(3)
    ]
    np.testing.assert_allclose(own, theirs, rtol=0.15)


def test_the_correction_agrees_with_scipy_s() -> None:
    p_values = np.random.default_rng(6).random(50) ** 3
    np.testing.assert_allclose(
        benjamini_hochberg(p_values), scipy.stats.false_discovery_control(p_values)
    )


def test_unknown_values_are_no_drift_and_json_stays_finite() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=(250, COLUMNS))
    values[:, 3] = np.nan
    values[::2, 4] = np.nan
    found = look(values, against=reference(random))
    assert found.drifted == []
    numbers = [[one.index, one.limit, one.p_value, *one.found] for one in found.columns]
    assert np.isfinite(numbers).all()
