"""The network: a denoising autoencoder with a risk head on its code, a few members side by side.

    raw x [n, d] ── scaling ──> z [n, d]
    z ── encoder (d → hidden → code, SiLU, tanh) ──> code ── decoder ──> reconstruction of z
    risk logit = head · code + wide · z + bias

- One network, two answers: the code must rebuild the pull and carry its risk.
- The wide path is a logistic regression inside the network (wide & deep, Cheng et al. 2016):
  with a few hundred positives, linear effects should not have to pass the bottleneck.
- Members differ by their random start, their noise and the inputs they see (random subspaces,
  Ho 1998), and are trained in one batched pass; their mean is steadier than any of them. What
  a member does not see it must rebuild from the rest, which is how novelty is noticed.
- Training hides inputs at random and adds noise (Vincent et al. 2008).

Tensors are plain torch tensors in a dictionary: nothing here needs torch until training.
"""

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import MissingExtraError

if TYPE_CHECKING:
    from torch import Tensor

HEADS: Final = ("head", "wide")
"""The parameters that lead straight to the risk, which get the stronger weight decay."""


class Shape(msgspec.Struct, frozen=True):
    """Sizes of the network: its members, and the width of hidden layer and code of each.

    `seen` is the share of the inputs, drawn at random, that a member reads.
    """

    members: int = 4
    hidden: int = 64
    code: int = 24
    seen: float = 1.0


class Noise(msgspec.Struct, frozen=True):
    """What training does to its inputs: the share hidden, and the Gaussian noise added."""

    hidden: float = 0.2
    spread: float = 0.2


def import_torch() -> Any:  # noqa: ANN401  (the library has no types)
    """The torch module; raises MissingExtraError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError.of("torch", "train") from error
    return torch


class Network:
    """The trainable tensors, each with a leading axis of members, and their forward pass."""

    def __init__(self, inputs: int, shape: Shape, *, seed: int) -> None:
        torch = import_torch()
        self._torch = torch
        self._random = torch.Generator().manual_seed(seed)
        sizes = {
            "encoder1": (inputs, shape.hidden),
            "encoder2": (shape.hidden, shape.code),
            "decoder1": (shape.code, shape.hidden),
            "decoder2": (shape.hidden, inputs),
        }
        self.tensors: dict[str, Tensor] = {}
        for name, (rows, columns) in sizes.items():
            start = torch.randn(shape.members, rows, columns, generator=self._random)
            self.tensors[name] = start / math.sqrt(rows)
            self.tensors[f"{name}_bias"] = torch.zeros(shape.members, 1, columns)
        self.tensors["head"] = torch.zeros(shape.members, shape.code, 1)
        self.tensors["wide"] = torch.zeros(shape.members, inputs, 1)
        self.tensors["bias"] = torch.zeros(shape.members, 1, 1)
        self._seen = torch.rand(shape.members, 1, inputs, generator=self._random) < shape.seen
        self.tensors["encoder1"] *= self._seen.transpose(1, 2)
        for tensor in self.tensors.values():
            tensor.requires_grad_(True)

    def forward(
        self, z: "Tensor", noise: Noise | None = None
    ) -> tuple["Tensor", "Tensor", "Tensor"]:
        """Logits [members, n], reconstructions [members, n, d] and codes of scaled rows [n, d].

        With `noise`, every member sees its own corrupted copy of the rows.
        """
        torch, t = self._torch, self.tensors
        inputs = z.expand(t["head"].shape[0], -1, -1)
        if noise is not None:
            shown = torch.rand(inputs.shape, generator=self._random) >= noise.hidden
            blur = torch.randn(inputs.shape, generator=self._random)
            # An input that is not seen gets no gradient, so its weights stay zero.
            inputs = (inputs * shown + noise.spread * blur) * self._seen
        code = torch.tanh(self._layer(self._hidden(inputs, "encoder1"), "encoder2"))
        reconstruction = self._layer(self._hidden(code, "decoder1"), "decoder2")
        logit = code @ t["head"] + inputs @ t["wide"] + t["bias"]
        return logit[..., 0], reconstruction, code

    def _layer(self, values: "Tensor", name: str) -> "Tensor":
        return self._torch.baddbmm(self.tensors[f"{name}_bias"], values, self.tensors[name])

    def _hidden(self, values: "Tensor", name: str) -> "Tensor":
        return self._torch.nn.functional.silu(self._layer(values, name))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every tensor as a numpy array."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self.tensors.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor."""
        return {name: tuple(tensor.shape) for name, tensor in self.tensors.items()}

    def restore(self, weights: dict[str, NDArray[np.float32]]) -> None:
        """Set every tensor to what `weights` returned earlier."""
        with self._torch.no_grad():
            for name, tensor in self.tensors.items():
                tensor.copy_(self._torch.from_numpy(weights[name]))
            read = self.tensors["encoder1"] != 0
            self._seen = read.any(dim=2, keepdim=True).transpose(1, 2)
