"""The network: a denoising autoencoder with a head, a few members for each question.

    raw x [n, d] ── scaling ──> z [n, d]
    z ── encoder (d → hidden → code, SiLU, tanh) ──> code ── decoder ──> reconstruction of z
    logit = head · code + wide · z + bias
    z ── pieces (optional) ── embedding ──> beside z at the encoder

- One network, several answers: the code must rebuild the pull and carry its risk.
- Members specialise: each learns the labels of one question (`asks`), a question's logit is the
  mean of its members', the reconstruction is the mean of all. One trunk for both questions was
  taken over by repairs, which are ten times as many as reverts (docs/experiments.md).
- The wide path is a logistic regression inside the network (wide & deep, Cheng et al. 2016):
  with a few hundred positives, linear effects should not have to pass the bottleneck.
- Members differ by their random start, their noise and the inputs they see (random subspaces,
  Ho 1998), and are trained in one batched pass; their mean is steadier than any of them. What
  a member does not see it must rebuild from the rest, which is how novelty is noticed.
- Training hides inputs at random and adds noise (Vincent et al. 2008).
- An input that is not known (NaN) is read as `unknown`, a value that the network learns for each.
- With `pieces` the encoder reads each input a second time, cut at its quantiles, through a small
  embedding that all members share (scaling.piecewise_linear): for tables where a value says who
  it is.

The weights are arrays in a dictionary, each with a leading axis of members, except those that all
members share: `unknown` [d], `embedding` [d, pieces, numbers]. Never trained are `asks` [members,
questions], 1 where a member learns a question, and the intervals `piece_start` and
`piece_steepness` [d, pieces], which are measured. The forward pass is written
once, for numpy and for jax.numpy: training differentiates it, everything else needs no JAX.
"""

from types import ModuleType
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32
from pullrisk.model.scaling import piecewise_linear

HEADS: Final = ("head", "wide")
"""The parameters that lead straight to the risk, which get the stronger weight decay."""
_PIECES: Final = ("piece_start", "piece_steepness")
"""The intervals of the pieces."""
FIXED: Final = ("asks", *_PIECES)
"""What training leaves as it is."""
SHARED: Final = ("unknown", "embedding")
"""The parameters that all members share."""
_ROWS: Final = 4_096

Array = Any
"""An array of numpy or of JAX."""
Arrays = dict[str, Array]
Weights = dict[str, Float32]
"""The network's arrays by name."""


class Shape(msgspec.Struct, frozen=True):
    """Sizes of the network: the members of each question, and the width of hidden layer and code
    of each member.

    `seen` is the share of the inputs, drawn at random, that a member reads. With `pieces` each
    input is cut into that many intervals, which become `embedding` numbers at the encoder.
    """

    members: int = 3
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


class Corruption(NamedTuple):
    """What one training step changes: every member sees its own corrupted copy of the rows.

    `shown` [members, n, d] are the inputs that a member sees, `added` what is added to them;
    `kept` [members, n, hidden] is a factor for each hidden unit, None to keep them all.
    """

    shown: Array
    added: Array
    kept: Array = None


def initial_weights(z: Float32, shape: Shape, *, questions: int, seed: int) -> Weights:
    """Random weights for scaled rows [n, d], at whose quantiles the pieces are cut."""
    random, inputs = np.random.default_rng(seed), z.shape[1]
    members = shape.members * questions
    width = shape.embedding if shape.pieces else 0
    sizes = {
        "encoder1": (inputs * (1 + width), shape.hidden),
        "encoder2": (shape.hidden, shape.code),
        "decoder1": (shape.code, shape.hidden),
        "decoder2": (shape.hidden, inputs),
    }
    weights: Weights = {"asks": np.eye(questions, dtype=np.float32).repeat(shape.members, axis=0)}
    for name, (rows, columns) in sizes.items():
        start = random.standard_normal((members, rows, columns), np.float32)
        weights[name] = start / np.float32(np.sqrt(rows))
        weights[f"{name}_bias"] = np.zeros((members, 1, columns), np.float32)
    weights["head"] = np.zeros((members, shape.code, 1), np.float32)
    weights["wide"] = np.zeros((members, inputs, 1), np.float32)
    weights["bias"] = np.zeros((members, 1, 1), np.float32)
    weights["unknown"] = np.zeros(inputs, np.float32)
    seen = random.random((members, inputs, 1), np.float32) < shape.seen
    weights["encoder1"] *= np.concatenate([seen, seen.repeat(width, axis=1)], axis=1)
    if shape.pieces:
        start = random.standard_normal((inputs, shape.pieces, width), np.float32)
        weights["embedding"] = start / np.float32(2)
        weights |= dict(zip(_PIECES, piecewise_linear(z, shape.pieces), strict=True))
    return weights


def seen_inputs(weights: Weights) -> Bools:
    """Which inputs each member reads, [members, 1, d]: those with a weight that is not zero."""
    read = weights["encoder1"][:, : weights["wide"].shape[1]] != 0
    return np.asarray(read.any(axis=2)[:, None, :])


def forward(
    weights: Arrays, z: Array, corruption: Corruption | None = None, *, xp: ModuleType = np
) -> tuple[Array, Array, Array]:
    """Logits [members, n], reconstructions [members, n, d] and codes of scaled rows [n, d].

    Rows may hold NaN where a value is not known; the answers never do.

    `xp` is numpy or jax.numpy, whichever the arrays are of.
    """
    z = filled(weights, z, xp=xp)
    inputs, shown, kept = z, None, None
    if corruption is not None:
        # An input that is not seen gets no gradient, so its weights stay zero.
        shown, kept = corruption.shown, corruption.kept
        inputs = z * shown + corruption.added
    first = _silu(_layer(weights, "encoder1", _read(weights, z, inputs, shown, xp)), xp)
    if kept is not None:
        first = first * kept
    code = xp.tanh(_layer(weights, "encoder2", first))
    reconstruction = _layer(weights, "decoder2", _silu(_layer(weights, "decoder1", code), xp))
    logit = code @ weights["head"] + inputs @ weights["wide"] + weights["bias"]
    return logit[..., 0], reconstruction, code


def filled(weights: Arrays, z: Array, *, xp: ModuleType = np) -> Array:
    """Scaled rows [n, d] with what the network reads in the place of what is unknown (NaN)."""
    return xp.where(xp.isnan(z), weights["unknown"], z)


def predict(weights: Weights, z: Float32) -> tuple[Float32, Float32]:
    """Logit of each question [questions, n], the mean of its members', and the mean
    reconstruction [n, d] of all of them, of scaled rows [n, d].
    """
    shares = (weights["asks"] / weights["asks"].sum(axis=0)).T
    logits, rebuilt = [], []
    for start in range(0, max(1, len(z)), _ROWS):
        logit, reconstruction, _ = forward(weights, z[start : start + _ROWS])
        logits.append(shares @ logit)
        rebuilt.append(reconstruction.mean(axis=0))
    return np.concatenate(logits, axis=1), np.concatenate(rebuilt)


def _read(weights: Arrays, z: Array, inputs: Array, shown: Array, xp: ModuleType) -> Array:
    """What the encoder reads: the inputs, and beside them the embedded pieces of z."""
    if "embedding" not in weights:
        return inputs
    start, steepness = (weights[name][:, None] for name in _PIECES)
    pieces = xp.clip((z.T[..., None] - start) * steepness, 0, 1)
    embedded = (pieces @ weights["embedding"]).swapaxes(0, 1)  # [n, d, numbers]
    if shown is not None:
        embedded = embedded * shown[..., None]
    embedded = embedded.reshape(*embedded.shape[:-2], -1)
    return xp.concatenate([inputs, embedded], axis=-1)


def _layer(weights: Arrays, name: str, values: Array) -> Array:
    return values @ weights[name] + weights[f"{name}_bias"]


def _silu(values: Array, xp: ModuleType) -> Array:
    """Values times their sigmoid, written with tanh, which overflows for none."""
    return values * (1 + xp.tanh(values / 2)) / 2
