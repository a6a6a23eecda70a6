"""What the members of a network see."""

import numpy as np
import torch

from pullrisk.model.network import Network, Noise, Shape

Z = torch.from_numpy(np.random.default_rng(0).normal(size=(64, 40)).astype(np.float32))
HALF = Shape(members=3, hidden=8, code=4, seen=0.5)
PIECES = Shape(members=3, hidden=8, code=4, seen=0.5, pieces=5, embedding=2)


def train(network: Network, steps: int = 5) -> None:
    optimiser = torch.optim.AdamW(list(network.tensors.values()), lr=0.01, weight_decay=0.1)
    for _ in range(steps):
        logit, rebuilt, _ = network.forward(Z, Noise())
        optimiser.zero_grad()
        (logit.mean() + torch.square(rebuilt - Z).mean()).backward()
        optimiser.step()


def unread(weights: dict[str, np.ndarray]) -> np.ndarray:
    return np.asarray((weights["encoder1"] == 0).all(axis=2))


def test_a_member_never_learns_from_an_input_that_it_does_not_see() -> None:
    network = Network(40, HALF, seed=0)
    before = unread(network.weights())
    train(network)
    after = network.weights()
    assert 0.3 < before.mean() < 0.7
    assert not np.array_equal(before[0], before[1])
    np.testing.assert_array_equal(unread(after), before)
    np.testing.assert_array_equal(after["wide"][..., 0] == 0, before)


def test_training_goes_on_with_the_inputs_that_restored_members_saw() -> None:
    trained = Network(40, HALF, seed=0)
    train(trained)
    other = Network(40, HALF, seed=1)
    other.restore(trained.weights())
    train(other)
    np.testing.assert_array_equal(unread(other.weights()), unread(trained.weights()))


def test_members_see_everything_unless_told_otherwise() -> None:
    assert not unread(Network(40, Shape(members=3), seed=0).weights()).any()


def test_a_member_never_reads_the_pieces_of_an_input_that_it_does_not_see() -> None:
    network = Network(40, PIECES, seed=0)
    network.measure(Z.numpy())
    before = unread(network.weights())
    assert before.shape == (3, 40 + 2 * 40)
    np.testing.assert_array_equal(before[:, 40:], np.repeat(before[:, :40], 2, axis=1))
    train(network)
    np.testing.assert_array_equal(unread(network.weights()), before)


def test_intervals_are_restored_with_the_weights_and_never_trained() -> None:
    trained = Network(40, PIECES, seed=0)
    trained.measure(Z.numpy())
    start = trained.weights()["piece_start"]
    train(trained)
    other = Network(40, PIECES, seed=1)
    other.restore(trained.weights())
    np.testing.assert_array_equal(other.weights()["piece_start"], start)
    for network in (trained, other):
        assert not set(network.fixed) & set(network.tensors)
    np.testing.assert_array_equal(other.forward(Z)[0].detach(), trained.forward(Z)[0].detach())


def test_dropping_hidden_units_changes_training_but_no_answer() -> None:
    whole, dropped = Network(40, HALF, seed=0), Network(40, HALF, seed=0)
    for network in (whole, dropped):
        train(network, 1)  # the heads start at nothing
    shown = whole.forward(Z, Noise(hidden=0, spread=0))[0].detach()
    np.testing.assert_allclose(shown, whole.forward(Z)[0].detach(), atol=1e-6)
    assert not np.allclose(dropped.forward(Z, Noise(0, 0, dropped=0.5))[0].detach(), shown)
