"""Which pulls are of like size, and which change code, against the definition in words."""

from dataclasses import replace

import numpy as np
import pytest

from pullrisk.train.dataset import Dataset
from pullrisk.train.metrics import bootstrap_weights
from pullrisk.train.ranking import code_pulls, like_size, ranking_figures, sizes
from support.tables import feature_table
from support.training import quick_dataset

UNKNOWN = float("nan")


def pulls(**columns: list[float]) -> Dataset:
    """Pulls with these features only."""
    count = len(next(iter(columns.values())))
    data = quick_dataset(feature_table(pulls=count, repositories=1, rate=0.0))
    return replace(data, names=tuple(columns), x=np.array(list(columns.values()), np.float32).T)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [(0, 0, True), (0, 1, False), (1, 2, True), (2, 3, False), (7, 14, True), (14, 15, False),
     (1_023, 2_046, True), (2_046, 2_047, False), (2**40 - 1, 2**41 - 2, True)],
)  # fmt: skip
def test_of_like_size_are_pulls_between_the_same_powers_of_two(
    one: int, other: int, alike: bool
) -> None:
    first, second = like_size(np.zeros(2, np.int64), np.array([one, other], np.float64))
    assert (first == second) is np.bool_(alike)


def test_of_like_size_are_only_pulls_of_one_repository_with_a_known_size() -> None:
    found = like_size(np.array([0, 1, 0, 0]), np.array([5.0, 5.0, UNKNOWN, UNKNOWN]))
    assert found[0] != found[1]
    assert found[2:].tolist() == [-1, -1]


@pytest.mark.parametrize("seed", range(4))
def test_the_auc_among_like_size_counts_the_pairs_that_the_definition_names(seed: int) -> None:
    random = np.random.default_rng(seed)
    n = 120
    groups, size = random.integers(0, 3, n), random.integers(0, 40, n).astype(np.float64)
    size[random.random(n) < 0.1] = UNKNOWN
    labels = (random.random(n) < 0.3).astype(np.int8)
    scores = np.round(random.normal(size=n) + labels, 1)
    weights = bootstrap_weights(n, resamples=3, seed=seed)
    found = ranking_figures(scores, labels, groups, weights, like_size(groups, size))
    expected = [pair_by_pair(scores, labels, groups, size, one) for one in weights]
    assert found["like_size_auc"] == pytest.approx(expected)


def pair_by_pair(
    scores: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    size: np.ndarray,
    weights: np.ndarray,
) -> float:
    """The chance that a positive is ranked before a negative of its repository and like size."""
    won = weight = 0.0
    for row in np.flatnonzero((labels == 1) & ~np.isnan(size)):
        low = 1
        while 2 * low <= size[row] + 1:
            low *= 2
        others = (labels == 0) & (groups == groups[row]) & (size + 1 >= low) & (size + 1 < 2 * low)
        total = weights[others].sum()
        if total:
            better = scores[row] > scores[others]
            wins = (better + (scores[row] == scores[others]) / 2) @ weights[others] / total
            won, weight = won + weights[row] * wins, weight + weights[row]
    return won / weight


def test_without_sizes_there_is_no_figure_among_like_size() -> None:
    labels, groups = np.array([1, 0], np.int8), np.zeros(2, np.int64)
    for like in (None, np.array([-1, -1])):
        drawn = ranking_figures(np.array([2.0, 1.0]), labels, groups, np.ones((1, 2)), like)
        assert "like_size_auc" not in drawn


def test_lines_added_stand_in_for_code_lines_that_are_unknown() -> None:
    found = sizes(pulls(code_added=[3, UNKNOWN, UNKNOWN], additions=[9, 9, UNKNOWN]))
    assert found is not None
    np.testing.assert_array_equal(found, [3, 9, UNKNOWN])


@pytest.mark.parametrize("name", ["code_added", "additions"])
def test_one_of_the_two_columns_is_enough(name: str) -> None:
    found = sizes(pulls(**{name: [1.0, 2.0]}))
    assert found is not None
    assert found.tolist() == [1, 2]


def test_no_size_is_known_without_either_column() -> None:
    assert sizes(pulls(changed_files=[1, 2])) is None


def test_code_pulls_change_three_code_lines_and_are_known_to() -> None:
    found = code_pulls(pulls(code_added=[3, 1, 1, UNKNOWN], code_removed=[0, 1, 2, 9]))
    assert found is not None
    assert found.tolist() == [True, False, True, False]


@pytest.mark.parametrize(
    "columns",
    [{"additions": [5.0, 5.0]}, {"code_added": [5.0, 5.0]},
     {"code_added": [UNKNOWN, UNKNOWN], "code_removed": [UNKNOWN, UNKNOWN]}],
)  # fmt: skip
def test_code_pulls_are_unknown_where_code_lines_are(columns: dict[str, list[float]]) -> None:
    assert code_pulls(pulls(**columns)) is None
