import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.features.decay import Spread, days, faded, smoothed


def test_a_half_life_halves() -> None:
    assert faded(8.0, 60.0, 30.0) == pytest.approx(2.0)


def test_a_clock_that_goes_back_fades_nothing() -> None:
    assert faded(8.0, -60.0, 30.0) == 8.0


def test_a_rate_starts_at_the_prior_and_goes_to_what_was_seen() -> None:
    assert smoothed(0, 0, 0.01, 20) == pytest.approx(0.01)
    assert smoothed(5_000, 10_000, 0.01, 20) == pytest.approx(0.5, abs=0.001)


def test_days_stay_between_zero_and_the_limit() -> None:
    assert [days(seconds, 10.0) for seconds in (-5.0, 86_400.0, 1e12)] == [0.0, 1.0, 10.0]


@given(st.lists(st.integers(0, 10**6), min_size=5, max_size=40))
def test_a_spread_below_its_memory_is_the_plain_mean_and_variance(values: list[int]) -> None:
    spread = Spread()
    for value in values:
        spread.add(math.log1p(value))
    logs = [math.log1p(value) for value in values]
    mean = sum(logs) / len(logs)

    assert spread.mean == pytest.approx(mean)
    assert spread.variance == pytest.approx(
        sum((log - mean) ** 2 for log in logs) / len(logs), abs=1e-9
    )


def test_a_spread_says_nothing_before_it_knows_five_values() -> None:
    spread = Spread()
    for _ in range(4):
        spread.add(math.log1p(10))

    assert spread.score(math.log1p(10_000)) == 0.0
    spread.add(math.log1p(10))
    assert spread.score(math.log1p(10_000)) == 8.0
