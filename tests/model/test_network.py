"""What the members of a network see."""

import numpy as np
import torch

from pullrisk.model.network import Network, Noise, Shape

Z = torch.from_numpy(np.random.default_rng(0).normal(size=(64, 40)).astype(np.float32))
HALF = Shape(members=3, hidden=8, code=4, seen=0.5)


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
