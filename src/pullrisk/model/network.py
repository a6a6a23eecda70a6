"""The network: a denoising autoencoder with a risk head on its code, a few members side by side.

    raw x [n, d] ── scaling ──> z [n, d]
    z ── encoder (d → hidden → code, SiLU, tanh) ──> code ── decoder ──> reconstruction of z
    risk logit = head · code + wide · z + bias
    z ── pieces (optional) ── embedding ──> beside z at the encoder

- One network, two answers: the code must rebuild the pull and carry its risk.
- The wide path is a logistic regression inside the network (wide & deep, Cheng et al. 2016):
  with a few hundred positives, linear effects should not have to pass the bottleneck.
- Members differ by their random start, their noise and the inputs they see (random subspaces,
  Ho 1998), and are trained in one batched pass; their mean is steadier than any of them. What
  a member does not see it must rebuild from the rest, which is how novelty is noticed.
- Training hides inputs at random and adds noise (Vincent et al. 2008).
- With `pieces` the encoder reads each input a second time, cut at its quantiles, through a small
  embedding that all members share (model/pieces.py): for tables where a value says who it is.

Tensors are plain torch tensors in a dictionary: nothing here needs torch until training.
"""

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import MissingExtraError
from pullrisk.model.pieces import measure

if TYPE_CHECKING:
    from torch import Tensor

HEADS: Final = ("head", "wide")
"""The parameters that lead straight to the risk, which get the stronger weight decay."""


class Shape(msgspec.Struct, frozen=True):
    """Sizes of the network: its members, and the width of hidden layer and code of each.

    `seen` is the share of the inputs, drawn at random, that a member reads. With `pieces` each
    input is cut into that many intervals, which become `embedding` numbers at the encoder.
    """

    members: int = 4
    hidden: int = 64
    code: int = 24
    seen: float = 1.0
    pieces: int = 0
    embedding: int = 8


class Noise(msgspec.Struct, frozen=True):
    """What training does to its inputs: the share hidden, and the Gaussian noise added.

    `dropped` is the share of the first hidden layer that is left out (dropout).
    """

    hidden: float = 0.2
    spread: float = 0.2
    dropped: float = 0.0


def import_torch() -> Any:  # noqa: ANN401  (the library has no types)
    """The torch module; raises MissingExtraError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError.of("torch", "train") from error
    return torch


class Network:
    """The trainable tensors and their forward pass.

    Every tensor has a leading axis of members but `embedding`, [inputs, pieces, numbers], which
    they share. `fixed` are the intervals of the pieces, measured and not trained.
    """

    def __init__(self, inputs: int, shape: Shape, *, seed: int) -> None:
        torch = import_torch()
        self._torch = torch
        self._random = torch.Generator().manual_seed(seed)
        width = shape.embedding if shape.pieces else 0
        sizes = {
            "encoder1": (inputs * (1 + width), shape.hidden),
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
        self._embedded_width = width
        self._seen = torch.rand(shape.members, 1, inputs, generator=self._random) < shape.seen
        self.tensors["encoder1"] *= self._at_the_encoder(self._seen).transpose(1, 2)
        self.fixed: dict[str, Tensor] = {}
        if shape.pieces:
            start = torch.randn(inputs, shape.pieces, width, generator=self._random)
            self.tensors["embedding"] = start / 2
            for name in ("piece_start", "piece_steepness"):
                self.fixed[name] = torch.zeros(inputs, shape.pieces)
        for tensor in self.tensors.values():
            tensor.requires_grad_(True)

    def measure(self, z: NDArray[np.float32]) -> None:
        """Cut the inputs at the quantiles of scaled rows [n, d], where the shape has pieces."""
        if self.fixed:
            pieces = self.fixed["piece_start"].shape[1]
            for tensor, values in zip(self.fixed.values(), measure(z, pieces), strict=True):
                tensor.copy_(self._torch.from_numpy(values))

    def forward(
        self, z: "Tensor", noise: Noise | None = None
    ) -> tuple["Tensor", "Tensor", "Tensor"]:
        """Logits [members, n], reconstructions [members, n, d] and codes of scaled rows [n, d].

        With `noise`, every member sees its own corrupted copy of the rows.
        """
        torch, t = self._torch, self.tensors
        inputs, shown = z.expand(t["head"].shape[0], -1, -1), None
        if noise is not None:
            shown = torch.rand(inputs.shape, generator=self._random) >= noise.hidden
            blur = torch.randn(inputs.shape, generator=self._random)
            # An input that is not seen gets no gradient, so its weights stay zero.
            shown = shown & self._seen
            inputs = inputs * shown + noise.spread * blur * self._seen
        first = self._hidden(self._read(z, inputs, shown), "encoder1")
        if noise is not None and noise.dropped:
            kept = torch.rand(first.shape, generator=self._random) >= noise.dropped
            first = first * kept / (1 - noise.dropped)
        code = torch.tanh(self._layer(first, "encoder2"))
        reconstruction = self._layer(self._hidden(code, "decoder1"), "decoder2")
        logit = code @ t["head"] + inputs @ t["wide"] + t["bias"]
        return logit[..., 0], reconstruction, code

    def _read(self, z: "Tensor", inputs: "Tensor", shown: "Tensor | None") -> "Tensor":
        """What the encoder reads: the inputs, and beside them the embedded pieces of z."""
        if not self.fixed:
            return inputs
        start, steepness = (values.unsqueeze(1) for values in self.fixed.values())
        pieces = ((z.T.unsqueeze(2) - start) * steepness).clamp(0, 1)
        embedded = self._torch.bmm(pieces, self.tensors["embedding"]).transpose(0, 1)
        each = embedded.expand(len(inputs), -1, -1, -1)
        if shown is not None:
            each = each * shown.unsqueeze(3)
        return self._torch.cat([inputs, each.flatten(2)], dim=2)

    def _at_the_encoder(self, inputs: "Tensor") -> "Tensor":
        """A mask of inputs [members, 1, d] for everything that the encoder reads of them."""
        each = inputs.repeat_interleave(self._embedded_width, dim=2)
        return self._torch.cat([inputs, each], dim=2)

    def _layer(self, values: "Tensor", name: str) -> "Tensor":
        return self._torch.baddbmm(self.tensors[f"{name}_bias"], values, self.tensors[name])

    def _hidden(self, values: "Tensor", name: str) -> "Tensor":
        return self._torch.nn.functional.silu(self._layer(values, name))

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """A copy of every tensor as a numpy array."""
        everything = {**self.tensors, **self.fixed}
        return {name: tensor.detach().numpy().copy() for name, tensor in everything.items()}

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor."""
        everything = {**self.tensors, **self.fixed}
        return {name: tuple(tensor.shape) for name, tensor in everything.items()}

    def restore(self, weights: dict[str, NDArray[np.float32]]) -> None:
        """Set every tensor to what `weights` returned earlier."""
        with self._torch.no_grad():
            for name, tensor in (*self.tensors.items(), *self.fixed.items()):
                tensor.copy_(self._torch.from_numpy(weights[name]))
            read = self.tensors["encoder1"][:, : self._seen.shape[2]] != 0
            self._seen = read.any(dim=2, keepdim=True).transpose(1, 2)
