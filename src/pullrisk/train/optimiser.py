"""One step of training, compiled: losses, AdamW, the one-cycle schedule, and XLA's threads."""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

import numpy as np

from pullrisk.arrays import Float64
from pullrisk.errors import needs_extra
from pullrisk.model.network import Array, Arrays, Corruption, forward
from pullrisk.train.dataset import UNKNOWN

_WARM_UP: Final = 0.3
"""The share of the steps in which the learning rate rises."""
_RISE: Final = 25.0
_FALL: Final = 25e4
"""The highest learning rate is so many times that of the first and of the last step."""
_MOMENTUM: Final = (0.95, 0.85)
"""Adam's first moment at the lowest and at the highest learning rate."""
FILLER: Final = np.int8(UNKNOWN - 1)
"""The label of a row that fills up a batch and counts for nothing."""
_XLA_THREADS: Final = "PJRT_NPROC"
"""What XLA reads, once, when its client for the CPU is made."""

Shapes = tuple[tuple[str, tuple[int, ...]], ...]


@cache
def compiled_step(shapes: Shapes, size: int) -> tuple[Callable[..., Array], Array]:
    """One step of AdamW on the flat weights [size], and the optimiser's first state.

    The step is compiled once for each number of rows; everything else is an argument of it.
    """
    jax, optax = import_jax()

    def step(
        flat: Array, state: Array, fixed: Array, batch: Array, weighing: Array, pace: Array
    ) -> Array:
        def loss(flat: Array) -> Array:
            return losses(split_weights(flat, shapes) | fixed, *batch, weighing=weighing)

        rate, momentum, decay, moving = pace
        (total, parts), gradient = jax.value_and_grad(loss, has_aux=True)(flat)
        update, state = optax.scale_by_adam(b1=momentum).update(gradient, state)
        rate = rate * moving
        return flat * (1 - rate * decay) - rate * update, state, jax.numpy.stack([total, *parts])

    return jax.jit(step), optax.scale_by_adam().init(np.zeros(size, np.float32))


def losses(
    weights: Arrays,
    z: Array,
    labels: Array,
    corruption: Corruption | None,
    *,
    weighing: tuple[float, float],
) -> tuple[Array, tuple[Array, Array]]:
    """The loss, and its two parts: risk (cross-entropy), reconstruction (mean squared error).

    Nothing has to be rebuilt where z is unknown (NaN). Each member's cross-entropy is that with
    the labels of its question, where they are known. Labels [questions, n] are 1, 0, UNKNOWN, or
    less for a row that only fills up the batch.
    """
    jax, optax = import_jax()
    numpy = jax.numpy
    logit, rebuilt, _ = forward(weights, z, corruption, xp=numpy)
    real, asks = labels[0] > FILLER, weights["asks"]
    known = asks @ (labels >= 0)  # [members, n]
    is_known = ~numpy.isnan(z)
    squares = numpy.square((rebuilt - numpy.where(is_known, z, 0)) * is_known).mean(axis=(0, 2))
    error = (squares * real).sum() / real.sum()
    entropy = optax.sigmoid_binary_cross_entropy(logit, known * (asks @ labels)) * known
    risk = (entropy.sum(axis=1) / numpy.maximum(1, known.sum(axis=1))).mean()
    return weighing[0] * risk + weighing[1] * error, (risk, error)


def import_jax() -> tuple[Any, Any]:
    """The modules jax and optax; raises MissingExtraError where they are not installed."""
    with needs_extra("train"):
        import jax
        import optax
    return jax, optax


def split_weights(flat: Array, shapes: Shapes) -> Arrays:
    """The weights by name, of all of them one after the other."""
    ends = np.cumsum([math.prod(shape) for _, shape in shapes])
    return {
        name: flat[end - math.prod(shape) : end].reshape(shape)
        for (name, shape), end in zip(shapes, ends.tolist(), strict=True)
    }


def one_cycle(steps: int) -> tuple[Float64, Float64]:
    """The learning rate of each step as a share of the highest one, and Adam's momentum, [steps].

    Both move along half a cosine, up and down (Smith & Topin 2018, as PyTorch's OneCycleLR).
    """
    step, peak = np.arange(steps), _WARM_UP * steps - 1
    rising = step <= peak
    part = np.where(rising, step / max(peak, 1), (step - peak) / (steps - 1 - peak))
    height = (1 - np.cos(np.pi * np.where(rising, part, 1 - part))) / 2
    low = np.where(rising, 1 / _RISE, 1 / _FALL)
    slow, fast = _MOMENTUM
    return low + (1 - low) * height, slow + (fast - slow) * height


@contextmanager
def limited_threads(threads: int) -> Iterator[None]:
    """Compute on so many threads: numpy for now, XLA from its first use in this process on."""
    from threadpoolctl import threadpool_limits

    before = os.environ.get(_XLA_THREADS)
    os.environ[_XLA_THREADS] = str(threads)
    try:
        import_jax()[0].devices()
    finally:
        if before is None:
            del os.environ[_XLA_THREADS]
        else:
            os.environ[_XLA_THREADS] = before
    with threadpool_limits(threads):
        yield
