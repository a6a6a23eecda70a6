"""The training loop: imbalance, threads, progress and its stop."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import torch

from pullrisk.progress import Silent, Task
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.fit import Rows, fit, predict
from support.training import QUICK

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(size=(2000, 6)).astype(np.float32)
LABELS = (RANDOM.random(2000) < 0.02 * np.exp(Z[:, 0])).astype(np.int8)


def rows(labels: np.ndarray = LABELS) -> Rows:
    return Rows(Z, labels, np.zeros(len(Z), np.int32))


class Counting(Silent):
    """Counts what is reported, as the terminal's bars would show it."""

    def __init__(self) -> None:
        self.done = 0.0
        self.total: float | None = None

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator[Task]:
        self.total = total
        with super().task(description, total=total, unit=unit) as task:
            task.advance = self._advance  # type: ignore[method-assign]
            yield task

    def _advance(self, amount: float = 1) -> None:
        self.done += amount


def test_rare_positives_start_at_their_base_rate_and_rank_by_their_cause() -> None:
    found = fit(rows(), None, QUICK, seed=0, progress=Silent())
    logit = predict(found.network, Z)[0]
    assert np.corrcoef(logit, Z[:, 0])[0, 1] > 0.5
    assert abs((1 / (1 + np.exp(-logit))).mean() - LABELS.mean()) < 0.01


def test_unlabelled_rows_train_the_autoencoder_and_leave_the_risk_alone() -> None:
    found = fit(rows(np.full(2000, UNKNOWN, np.int8)), None, QUICK, seed=0, progress=Silent())
    logit, rebuilt = predict(found.network, Z)
    assert np.square(rebuilt - Z).mean() < 0.9
    assert np.isfinite(logit).all()
    assert all(epoch.training_risk_loss == 0 for epoch in found.epochs)


def test_every_epoch_is_reported() -> None:
    progress = Counting()
    fit(rows(), None, QUICK, seed=0, progress=progress)
    assert progress.done == progress.total == QUICK.epochs


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    fit(rows(), None, msgspec.structs.replace(QUICK, threads=1), seed=0, progress=Silent())
    assert torch.get_num_threads() == before


def test_training_stops_after_the_epochs_asked_for() -> None:
    found = fit(rows(), None, QUICK, seed=0, progress=Silent(), stop_after=2)
    assert [epoch.epoch for epoch in found.epochs] == [1, 2]
    assert found.best_epoch == 2


def test_training_stops_once_validation_gets_no_better() -> None:
    patient = msgspec.structs.replace(QUICK, epochs=12, patience=1, learning_rate=0.05)
    odd = Rows(Z, (Z[:, 0] < -1).astype(np.int8), np.zeros(len(Z), np.int32))
    found = fit(rows(), odd, patient, seed=0, progress=Silent())
    assert len(found.epochs) < 12
    assert len(found.epochs) == found.best_epoch + 1
