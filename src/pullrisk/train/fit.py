"""Fitting the network: batches, imbalance, early stopping."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.model.network import HEADS, Network, Noise, Shape, import_torch
from pullrisk.model.start import Start
from pullrisk.progress import Progress
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.metrics import pooled_auc, within_auc

if TYPE_CHECKING:
    import torch

_EVALUATION_ROWS: Final = 4_096


class FitSettings(msgspec.Struct, frozen=True):
    """How the network is trained; the defaults were tuned on windows before the test window."""

    shape: Shape = Shape()
    noise: Noise = Noise()
    epochs: int = 6
    patience: int = 3
    batch: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    head_decay: float = 1e-2
    risk_weight: float = 10.0
    reconstruction_weight: float = 0.1
    threads: int = 1


class Epoch(msgspec.Struct, frozen=True):
    """What one pass over the training rows came to; validation figures are None without one."""

    epoch: int
    training_loss: float
    training_risk_loss: float
    training_reconstruction_error: float
    validation_risk_loss: float | None = None
    validation_reconstruction_error: float | None = None
    validation_auc: float | None = None
    validation_within_auc: float | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """Scaled rows z [n, d], labels [n] (1, 0, UNKNOWN) and repository codes [n]."""

    z: NDArray[np.float32]
    labels: NDArray[np.int8]
    repository: NDArray[np.int32]

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which rows have a label, [n]."""
        return np.asarray(self.labels != UNKNOWN)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network at its best epoch, and what every epoch came to."""

    network: Network
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
    start: Start | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Fitted:
    """Train on all rows (labelled or not) and keep the epoch of the least validation risk loss.

    Without validation rows the last epoch counts. `stop_after` ends training after that many
    epochs of the unchanged schedule. The same seed gives the same weights. `start` gives the
    first weights instead of the seed; `on_epoch` hears of every epoch and may stop by raising.
    """
    last = stop_after or settings.epochs
    torch = import_torch()
    with _threads(torch, settings.threads):
        network = Network(training.z.shape[1], settings.shape, seed=seed)
        if start is None:
            network.measure(training.z)
        else:
            network.restore(start.matching(network.shapes()))
        trainer = _Trainer(network, training, settings, seed, begun=start is not None)
        best, epochs = None, []
        with progress.task("train", total=last, unit="epochs") as task:
            for number in range(1, last + 1):
                epochs.append(_judge(trainer.epoch(number), network, validation))
                if on_epoch is not None:
                    on_epoch(epochs[-1])
                task.advance()
                task.describe(f"train: epoch {number}, loss {epochs[-1].training_loss:.4f}")
                if best is None or _merit(epochs[-1]) < best[0]:
                    best = _merit(epochs[-1]), number, network.weights()
                elif number - best[1] >= settings.patience:
                    break
        assert best is not None  # noqa: S101  (epochs >= 1)
        network.restore(best[2])
        return Fitted(network, tuple(epochs), best[1])


def predict(
    network: Network, z: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean logit [n] and mean reconstruction [n, d] over the members, of scaled rows [n, d]."""
    torch = import_torch()
    logits, rebuilt = [], []
    with torch.no_grad():
        for start in range(0, max(1, len(z)), _EVALUATION_ROWS):
            rows = torch.from_numpy(z[start : start + _EVALUATION_ROWS])
            logit, reconstruction, _ = network.forward(rows)
            logits.append(logit.mean(0).numpy())
            rebuilt.append(reconstruction.mean(0).numpy())
    return np.concatenate(logits), np.concatenate(rebuilt)


class _Trainer:
    """The optimiser, its schedule and the shuffled batches."""

    def __init__(
        self, network: Network, rows: Rows, settings: FitSettings, seed: int, *, begun: bool
    ) -> None:
        torch = import_torch()
        self._network, self._settings = network, settings
        self._z = torch.from_numpy(rows.z)
        self._labels = torch.from_numpy(rows.labels.astype(np.float32))
        self._random = torch.Generator().manual_seed(seed + 1)
        self._batches = max(1, len(rows.z) // settings.batch)
        if not begun:
            _start_at_base_rate(network, rows.labels)
        heads = [network.tensors[name] for name in HEADS]
        rest = [tensor for name, tensor in network.tensors.items() if name not in HEADS]
        self._optimiser = torch.optim.AdamW(
            [
                {"params": rest, "weight_decay": settings.weight_decay},
                {"params": heads, "weight_decay": settings.head_decay},
            ],
            lr=settings.learning_rate,
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser, settings.learning_rate, total_steps=self._batches * settings.epochs + 1
        )

    def epoch(self, number: int) -> Epoch:
        sums = np.zeros(3)
        for rows in self._shuffled():
            loss, risk, error = self._losses(self._z[rows], self._labels[rows])
            self._optimiser.zero_grad()
            loss.backward()
            self._optimiser.step()
            self._schedule.step()
            sums += [loss.item(), risk.item(), error.item()]
        return Epoch(number, *(sums / self._batches).tolist())

    def _shuffled(self) -> "Iterator[torch.Tensor]":
        torch = import_torch()
        order = torch.randperm(len(self._z), generator=self._random)
        yield from torch.tensor_split(order, self._batches)

    def _losses(
        self, z: "torch.Tensor", labels: "torch.Tensor"
    ) -> "tuple[torch.Tensor, torch.Tensor, torch.Tensor]":
        functional = import_torch().nn.functional
        logit, rebuilt, _ = self._network.forward(z, self._settings.noise)
        known = labels >= 0
        targets = labels[known].expand(len(logit), -1)
        error = functional.mse_loss(rebuilt, z.expand_as(rebuilt))
        risk = functional.binary_cross_entropy_with_logits(logit[:, known], targets)
        if not known.any():
            risk = logit.sum() * 0.0
        weighted = self._settings.risk_weight * risk
        return weighted + self._settings.reconstruction_weight * error, risk, error


def _start_at_base_rate(network: Network, labels: NDArray[np.int8]) -> None:
    """Begin at the share of positives: with 1 % of them, finding it would cost an epoch."""
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    odds = (positives + 0.5) / (negatives + 0.5)
    with import_torch().no_grad():
        network.tensors["bias"].fill_(float(np.log(odds)))


def _judge(epoch: Epoch, network: Network, validation: Rows | None) -> Epoch:
    if validation is None or not len(validation.z):
        return epoch
    logit, rebuilt = predict(network, validation.z)
    error = float(np.square(rebuilt - validation.z).mean())
    figures: dict[str, Any] = {"validation_reconstruction_error": error}
    known = validation.labelled
    labels, logit = validation.labels[known], logit[known].astype(np.float64)
    if labels.any() and not labels.all():
        ones = np.ones((1, len(labels)))
        within = within_auc(logit, labels, validation.repository[known], ones)[1][0]
        figures |= {
            "validation_risk_loss": float(np.mean(np.logaddexp(0, logit) - labels * logit)),
            "validation_auc": float(pooled_auc(logit, labels, ones)[0]),
            "validation_within_auc": None if np.isnan(within) else float(within),
        }
    return msgspec.structs.replace(epoch, **figures)


def _merit(epoch: Epoch) -> float:
    """What early stopping minimises: the validation risk loss, else whatever there is."""
    if epoch.validation_risk_loss is not None:
        return epoch.validation_risk_loss
    if epoch.validation_reconstruction_error is not None:
        return epoch.validation_reconstruction_error
    return -float(epoch.epoch)


@contextmanager
def _threads(torch: Any, threads: int) -> Iterator[None]:  # noqa: ANN401  (torch has no types here)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
