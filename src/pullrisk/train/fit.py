"""Fitting the network: batches, noise, imbalance, early stopping.

JAX differentiates and compiles one step; numpy draws what is random. So the same seed gives the
same batches and the same noise whatever runs the step, and compiling takes a second.
"""

from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np

from pullrisk.arrays import Bools, Float32, Float64, Indices, Int8, Int32
from pullrisk.model.network import (
    FIXED,
    HEADS,
    SHARED,
    Array,
    Corruption,
    Noise,
    Shape,
    Weights,
    initial_weights,
    predict,
    seen_inputs,
)
from pullrisk.progress import Progress
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.evaluation import Epoch
from pullrisk.train.masks import NO_MASKS, Masking, Masks
from pullrisk.train.metrics import pooled_auc, within_auc
from pullrisk.train.optimiser import (
    FILLER,
    compiled_step,
    limited_threads,
    one_cycle,
    split_weights,
)
from pullrisk.train.warm_start import WarmStart

FINE_TUNING_RATE: Final = 4e-3
"""Twice the usual rate: few batches have to move the weights far enough. See docs/train.md."""


_ROUND: Final = 8
"""Batches are filled up to a multiple of so many rows, so that most fits share a compiled step."""


class FitSettings(msgspec.Struct, frozen=True):
    """How the network is trained; the defaults were tuned on windows before the test window."""

    shape: Shape = Shape()
    noise: Noise = Noise()
    masking: Masking = Masking()
    epochs: int = 6
    patience: int = 3
    batch: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    head_decay: float = 1e-2
    risk_weight: float = 10.0
    reconstruction_weight: float = 0.1
    threads: int = 1


def fine_tuning(settings: FitSettings) -> FitSettings:
    """The settings with what differs when a training does not begin from chance."""
    return msgspec.structs.replace(settings, learning_rate=FINE_TUNING_RATE)


@dataclass(frozen=True, slots=True)
class Rows:
    """Scaled rows z [n, d], NaN where unknown, labels [questions, n] (1, 0, UNKNOWN), repository
    codes [n].
    """

    z: Float32
    labels: Int8
    repository: Int32

    @property
    def labelled(self) -> Bools:
        """Which rows have a label, [questions, n]."""
        return np.asarray(self.labels != UNKNOWN)


@dataclass(frozen=True, slots=True)
class Fitted:
    """The weights of the best epoch, and what every epoch came to."""

    weights: Weights
    epochs: tuple[Epoch, ...]
    best_epoch: int


def fit(  # noqa: PLR0913  (one keyword per choice)
    training: Rows,
    validation: Rows | None,
    settings: FitSettings,
    *,
    seed: int,
    progress: Progress,
    stop_after: int | None = None,
    start: WarmStart | None = None,
    masks: Masks = NO_MASKS,
) -> Fitted:
    """Train on all rows (labelled or not) and keep the epoch of the least validation risk loss.

    Without validation rows the last epoch counts. `stop_after` ends training after that many
    epochs of the unchanged schedule. The same seed gives the same weights. `start` gives the
    first weights instead of the seed: where no row has a label of a question, it goes on answering
    that as before. `masks` are what the network learns to do without. Raises MissingExtraError
    where JAX is not installed.
    """
    last = stop_after or settings.epochs
    with limited_threads(settings.threads):
        questions = len(training.labels)
        weights = initial_weights(training.z, settings.shape, questions=questions, seed=seed)
        if start is None:
            weights["bias"] += (weights["asks"] @ _base_rates(training.labels))[:, None, None]
        else:
            weights = start.matching(weights)
        asked = training.labelled.any(axis=1)
        frozen = np.zeros_like(asked) if start is None else start.answered & ~asked
        trainer = _Trainer(weights, training, settings, seed, masks, frozen=frozen)
        best, epochs = None, []
        with progress.task("train", total=last, unit="epochs") as task:
            for number in range(1, last + 1):
                epoch, weights = trainer.epoch(number)
                epochs.append(_judge(epoch, weights, validation))
                task.advance()
                task.describe(f"train: epoch {number}, loss {epochs[-1].training_loss:.4f}")
                if best is None or _merit(epochs[-1]) < best[0]:
                    best = _merit(epochs[-1]), number, weights
                elif number - best[1] >= settings.patience:
                    break
        assert best is not None  # noqa: S101  (epochs >= 1)
        return Fitted(best[2], tuple(epochs), best[1])


class _Trainer:
    """The optimiser's state, its schedule and the shuffled batches."""

    def __init__(
        self,
        weights: Weights,
        rows: Rows,
        settings: FitSettings,
        seed: int,
        masks: Masks,
        *,
        frozen: Bools,
    ) -> None:
        self._rows, self._settings, self._masks = rows, settings, masks
        self._fixed = {name: weights[name] for name in FIXED if name in weights}
        self._seen = seen_inputs(weights)
        trained = {name: each for name, each in weights.items() if name not in FIXED}
        self._shapes = tuple((name, each.shape) for name, each in trained.items())
        self._flat = np.concatenate([each.ravel() for each in trained.values()])
        self._decay = np.concatenate(
            [np.full(each.size, _decay(name, settings)) for name, each in trained.items()]
        )
        moving = weights["asks"] @ frozen == 0
        self._moving = np.concatenate(
            [_moves(name, each, moving) for name, each in trained.items()]
        )
        self._step, self._adam = compiled_step(self._shapes, self._flat.size)
        self._batches = max(1, len(rows.z) // settings.batch)
        self._rates = one_cycle(self._batches * settings.epochs + 1)
        self._random = np.random.default_rng((seed, 1))

    def epoch(self, number: int) -> tuple[Epoch, Weights]:
        """Train once on every row; what that came to, and the weights after it."""
        order = np.array_split(self._random.permutation(len(self._rows.z)), self._batches)
        first = (number - 1) * self._batches
        losses = [self._train(first + step, rows) for step, rows in enumerate(order)]
        means = np.array([np.asarray(each) for each in losses], np.float64).mean(axis=0)
        weights = split_weights(np.array(self._flat), self._shapes)
        return Epoch(number, *means.tolist()), weights | self._fixed

    def _train(self, step: int, rows: Indices) -> Array:
        """One step on these rows; its losses [3] are not waited for."""
        settings, data = self._settings, self._rows
        filled = np.resize(rows, -(-len(rows) // _ROUND) * _ROUND)
        real = np.arange(len(filled)) < len(rows)
        labels = np.where(real, data.labels[:, filled], FILLER)
        rate, momentum = (float(each[step]) for each in self._rates)
        self._flat, self._adam, losses = self._step(
            self._flat,
            self._adam,
            self._fixed,
            (self._masked(data.z[filled]), labels, self._corruption(len(filled))),
            (settings.risk_weight, settings.reconstruction_weight),
            (rate * settings.learning_rate, momentum, self._decay, self._moving),
        )
        return losses

    def _masked(self, z: Float32) -> Float32:
        """The rows [n, d] as sources that know less would tell them."""
        if not len(self._masks.rates):
            return z
        return np.where(self._masks.draw(self._random, len(z)), np.float32(np.nan), z)

    def _corruption(self, rows: int) -> Corruption:
        noise, shape, random = self._settings.noise, self._settings.shape, self._random
        size = (len(self._seen), rows, self._seen.shape[2])
        shown = (random.random(size, np.float32) >= noise.hidden) & self._seen
        added = random.standard_normal(size, np.float32) * (np.float32(noise.spread) * self._seen)
        if not noise.dropped:
            return Corruption(shown, added)
        kept = random.random((*size[:2], shape.hidden), np.float32) >= noise.dropped
        return Corruption(shown, added, kept / np.float32(1 - noise.dropped))


def _decay(name: str, settings: FitSettings) -> np.float32:
    return np.float32(settings.head_decay if name in HEADS else settings.weight_decay)


def _moves(name: str, weights: Float32, moving: Bools) -> Array:
    """Which of the weights are trained, flat: those of the members that are `moving` [members],
    and what members share if all of them are.
    """
    own = moving.all() if name in SHARED else moving.reshape(-1, *[1] * (weights.ndim - 1))
    return np.broadcast_to(own, weights.shape).ravel().astype(np.float32)


def _base_rates(labels: Int8) -> Float32:
    """Log-odds of each question's share of positives, from labels [questions, n]: with 1 % of
    them, finding it would cost an epoch.
    """
    positives, negatives = (labels == 1).sum(axis=1), (labels == 0).sum(axis=1)
    return np.asarray(np.log((positives + 0.5) / (negatives + 0.5)), np.float32)


def _judge(epoch: Epoch, weights: Weights, validation: Rows | None) -> Epoch:
    if validation is None or not len(validation.z):
        return epoch
    logits, rebuilt = predict(weights, validation.z)
    error = float(np.nanmean(np.square(rebuilt - validation.z)))
    figures: dict[str, Any] = {"validation_reconstruction_error": error}
    parts = zip(logits.astype(np.float64), validation.labels, validation.labelled, strict=True)
    judged = [
        _ranked(logit[known], labels[known], validation.repository[known])
        for logit, labels, known in parts
        if labels[known].any() and not labels[known].all()
    ]
    if judged:
        risk, pooled, within = np.array(judged).mean(axis=0).tolist()
        figures |= {
            "validation_risk_loss": risk,
            "validation_auc": pooled,
            "validation_within_auc": None if np.isnan(within) else within,
        }
    return msgspec.structs.replace(epoch, **figures)


def _ranked(logit: Float64, labels: Int8, repository: Int32) -> tuple[float, float, float]:
    """A question's cross-entropy as a share of that of the base rate, and its AUC."""
    ones, base = np.ones((1, len(labels))), labels.mean()
    least = -(base * np.log(base) + (1 - base) * np.log(1 - base))
    return (
        float(np.mean(np.logaddexp(0, logit) - labels * logit) / least),
        float(pooled_auc(logit, labels, ones)[0]),
        float(within_auc(logit, labels, repository, ones)[1][0]),
    )


def _merit(epoch: Epoch) -> float:
    """What early stopping minimises: the validation risk loss, else whatever there is."""
    if epoch.validation_risk_loss is not None:
        return epoch.validation_risk_loss
    if epoch.validation_reconstruction_error is not None:
        return epoch.validation_reconstruction_error
    return -float(epoch.epoch)
