import msgspec
import numpy as np
import pytest

from pullrisk.model.reference import LATEST, Reference, binned, stability_index


def normal(*size: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, size=size)


def reference(values: np.ndarray, names: tuple[str, ...] = ("o/a",)) -> Reference:
    codes = np.arange(len(values)) * len(names) // len(values)
    columns = tuple(f"c{place}" for place in range(values.shape[1]))
    return Reference.of(values, codes, names, columns=columns)


def test_counts_are_those_of_the_values_and_survive_json() -> None:
    values = normal(1000, 3)
    found = reference(values)
    again = msgspec.json.decode(msgspec.json.encode(found), type=Reference)
    assert np.array_equal(again.expected("o/a"), binned(values, found.bins))
    assert again.expected("o/a").sum(axis=1).tolist() == [1000] * 3


def test_a_repository_keeps_its_latest_pulls_only() -> None:
    values = np.concatenate([np.zeros((500, 1)), np.ones((LATEST, 1))])
    found = reference(values)
    assert found.expected("o/a").sum() == LATEST
    assert found.bins.max() == found.bins.min() == 1.0


def test_an_unknown_repository_is_held_against_all_of_them() -> None:
    found = reference(normal(600, 2), ("o/a", "o/b"))
    total = found.expected("o/a") + found.expected("o/b")
    assert np.array_equal(found.expected("o/new"), total)


def test_a_flag_however_rare_has_a_bin_of_its_own() -> None:
    flags = (np.arange(1000) % 100 == 0).astype(float)[:, None]
    for values in (flags, 1 - flags):
        counts = reference(values).expected("o/a")[0]
        assert sorted(counts[counts > 0].tolist()) == [10, 990]


@pytest.mark.parametrize("size", [100, 400, 2000])
def test_chance_alone_gives_an_index_near_zero_whatever_the_sample_s_size(size: int) -> None:
    found = reference(normal(2000, 50))
    index = stability_index(found.expected("o/a"), binned(normal(size, 50, seed=1), found.bins))
    assert index.mean() < 0.02


def test_a_shift_of_one_deviation_gives_a_large_index() -> None:
    found = reference(normal(2000, 1))
    shifted = binned(normal(300, 1, mean=1.0, seed=1), found.bins)
    assert stability_index(found.expected("o/a"), shifted)[0] > 0.5


def test_what_always_wanders_is_usual() -> None:
    still, wandering = normal(2000, 1), np.linspace(0, 10, 2000)[:, None]
    usual = reference(np.column_stack([still, wandering])).usual_of("o/a")
    assert usual[0] < 0.1
    assert usual[1] > 1.0


def test_few_pulls_have_nothing_usual() -> None:
    assert reference(normal(150, 2)).usual_of("o/a").tolist() == [0.0, 0.0]


def test_unknown_values_fall_into_no_bin_and_a_column_nobody_knows_never_drifts() -> None:
    values = normal(1000, 3)
    values[::2, 1] = values[:, 2] = np.nan
    found = reference(values)
    counts = found.expected("o/a")
    assert counts.sum(axis=1).tolist() == [1000, 500, 0]
    known = binned(normal(300, 3, seed=1), found.bins)
    index = stability_index(counts, known)
    assert index[2] == 0
    assert np.isfinite(index).all()
    assert np.isfinite(found.usual_of("o/a")).all()
