"""What the members of a network see, in numpy and in JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullrisk.model.network import (
    FIXED,
    Corruption,
    Shape,
    Weights,
    forward,
    initial_weights,
    seen_inputs,
)
from pullrisk.model.scaling import Scaling
from pullrisk.progress import Silent
from pullrisk.train.fit import FitSettings, Rows, fit
from pullrisk.train.warm_start import WarmStart

Z = np.random.default_rng(0).normal(size=(64, 40)).astype(np.float32)
ROWS = Rows(Z, np.stack([Z[:, 0] > 0, Z[:, 1] > 0]).astype(np.int8), np.zeros(len(Z), np.int32))
HALF = Shape(members=3, hidden=8, code=4, seen=0.5)
PIECES = Shape(members=3, hidden=8, code=4, seen=0.5, pieces=5, embedding=2)


def trained(shape: Shape, *, seed: int = 0, start: WarmStart | None = None) -> Weights:
    settings = FitSettings(shape=shape, epochs=5, batch=64, learning_rate=0.01, weight_decay=0.1)
    return fit(ROWS, None, settings, seed=seed, start=start, progress=Silent()).weights


def unread(weights: Weights) -> np.ndarray:
    return np.asarray((weights["encoder1"] == 0).all(axis=2))


def test_a_member_never_learns_from_an_input_that_it_does_not_see() -> None:
    before = unread(initial_weights(Z, HALF, questions=2, seed=0))
    after = trained(HALF)
    assert 0.3 < before.mean() < 0.7
    assert not np.array_equal(before[0], before[1])
    np.testing.assert_array_equal(unread(after), before)
    np.testing.assert_array_equal(after["wide"][..., 0] == 0, before)


def test_training_goes_on_with_the_inputs_that_the_members_of_a_start_saw() -> None:
    first = trained(HALF)
    start = WarmStart("first", {}, Scaling(*np.zeros((3, 40))), first)
    second = trained(HALF, seed=1, start=start)
    assert not np.array_equal(second["encoder1"], first["encoder1"])
    np.testing.assert_array_equal(unread(second), unread(first))


def test_members_see_everything_unless_told_otherwise() -> None:
    weights = initial_weights(Z, Shape(members=3), questions=2, seed=0)
    assert not unread(weights).any()
    assert seen_inputs(weights).shape == (6, 1, 40)
    assert seen_inputs(weights).all()


def test_a_member_never_reads_the_pieces_of_an_input_that_it_does_not_see() -> None:
    before = unread(initial_weights(Z, PIECES, questions=2, seed=0))
    assert before.shape == (6, 40 + 2 * 40)
    np.testing.assert_array_equal(before[:, 40:], np.repeat(before[:, :40], 2, axis=1))
    np.testing.assert_array_equal(unread(trained(PIECES)), before)


def test_intervals_are_measured_and_never_trained() -> None:
    before, after = initial_weights(Z, PIECES, questions=2, seed=0), trained(PIECES)
    assert not np.array_equal(after["embedding"], before["embedding"])
    for name in FIXED:
        np.testing.assert_array_equal(after[name], before[name])


@pytest.mark.parametrize("shape", [HALF, PIECES], ids=["plain", "pieces"])
def test_numpy_and_jax_give_the_same_answers(shape: Shape) -> None:
    weights = trained(shape)
    compiled = jax.jit(lambda weights, z: forward(weights, z, xp=jnp))
    for ours, theirs in zip(forward(weights, Z), compiled(weights, Z), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_hidden_and_dropped_values_change_an_answer_and_nothing_changes_none() -> None:
    weights = trained(HALF)
    plain, everything = forward(weights, Z)[0], np.ones((6, *Z.shape), np.bool_)
    np.testing.assert_array_equal(forward(weights, Z, Corruption(everything, 0))[0], plain)
    for corruption in (Corruption(~everything, 0), Corruption(everything, 0, np.float32(0.5))):
        assert not np.allclose(forward(weights, Z, corruption)[0], plain)
