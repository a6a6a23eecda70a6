"""The training loop: imbalance, threads, progress and its stop."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import numpy as np
import pytest

from pullrisk.model.network import FIXED, Array, Arrays, Shape, initial_weights, predict
from pullrisk.progress import Silent, Task
from pullrisk.train.dataset import UNKNOWN
from pullrisk.train.fit import Rows, fit
from pullrisk.train.masks import NO_MASKS, Masks
from pullrisk.train.optimiser import import_jax, losses, one_cycle
from support.training import QUICK

RANDOM = np.random.default_rng(0)
Z = RANDOM.normal(size=(2000, 6)).astype(np.float32)
LABELS = (RANDOM.random(2000) < 0.02 * np.exp(Z[:, 0])).astype(np.int8)


def rows(labels: np.ndarray = LABELS) -> Rows:
    return Rows(Z, labels[None], np.zeros(len(Z), np.int32))


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
    logit = predict(found.weights, Z)[0][0]
    assert np.corrcoef(logit, Z[:, 0])[0, 1] > 0.5
    assert abs((1 / (1 + np.exp(-logit))).mean() - LABELS.mean()) < 0.01


def test_unlabelled_rows_train_the_autoencoder_and_leave_the_risk_alone() -> None:
    found = fit(rows(np.full(2000, UNKNOWN, np.int8)), None, QUICK, seed=0, progress=Silent())
    (logit,), rebuilt = predict(found.weights, Z)
    assert np.square(rebuilt - Z).mean() < 0.9
    assert np.isfinite(logit).all()
    assert all(epoch.training_risk_loss == 0 for epoch in found.epochs)


def test_what_is_unknown_is_learnt_around() -> None:
    gaps = np.where(np.random.default_rng(1).random(Z.shape) < 0.3, np.float32(np.nan), Z)
    found = fit(Rows(gaps, LABELS[None], rows().repository), None, QUICK, seed=0, progress=Silent())
    (logit,), rebuilt = predict(found.weights, gaps)
    assert found.weights["unknown"].any()
    assert np.isfinite(logit).all()
    assert np.isfinite(rebuilt).all()
    known = ~np.isnan(gaps[:, 0])
    assert np.corrcoef(logit[known], Z[known, 0])[0, 1] > 0.5


def test_what_is_hidden_in_training_may_be_unknown_ever_after() -> None:
    """The column that says most, with so many positives and epochs that no seed tips it."""
    chance = np.minimum(0.1 * np.exp(1.2 * Z[:, 0]), 1)
    labels = (np.random.default_rng(1).random(len(Z)) < chance).astype(np.int8)
    thorough = msgspec.structs.replace(QUICK, epochs=12, learning_rate=0.03)
    hidden = np.zeros((1, 6), np.float32)
    hidden[0, 0] = 1
    nothing = np.where(hidden[0] > 0, np.float32(np.nan), Z)
    away = []
    for masks in (NO_MASKS, Masks(hidden, np.array([0.5]))):
        found = fit(rows(labels), None, thorough, seed=0, masks=masks, progress=Silent())
        rate = (1 / (1 + np.exp(-predict(found.weights, nothing)[0][0]))).mean()
        away.append(abs(float(rate) - labels.mean()))
    assert away[1] < away[0] / 2


def test_every_epoch_is_reported() -> None:
    progress = Counting()
    fit(rows(), None, QUICK, seed=0, progress=progress)
    assert progress.done == progress.total == QUICK.epochs


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    z = np.where(Z[:50] > 1.5, np.float32(np.nan), Z[:50])
    labels = np.resize(np.array([1, 0, 0, UNKNOWN, UNKNOWN - 1], np.int8), 50)[None]
    shape = Shape(members=2, hidden=8, code=3, pieces=4, embedding=2)
    weights, random = initial_weights(z, shape, questions=1, seed=0), np.random.default_rng(0)
    trained = {
        name: each + random.normal(0, 0.1, each.shape).astype(np.float32)
        for name, each in weights.items()
        if name not in FIXED
    }
    fixed = {name: weights[name] for name in FIXED if name in weights}

    def total(trained: Arrays) -> Array:
        found: Array = losses(trained | fixed, z, labels, None, weighing=(10.0, 0.1))[0]
        return found

    jax = import_jax()[0]
    loss, gradient = jax.jit(total), jax.jit(jax.grad(total))(trained)
    along = {name: np.asarray(each) for name, each in gradient.items()}
    length = float(np.sqrt(sum(np.square(each).sum() for each in along.values())))
    step = 1e-2 / length

    def moved(by: float) -> Arrays:
        return {name: trained[name] + np.float32(by) * each for name, each in along.items()}

    slope = float(loss(moved(step)) - loss(moved(-step))) / (2 * step)
    assert slope == pytest.approx(length**2, rel=1e-3)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, again, other = (
        fit(rows(), None, QUICK, seed=seed, progress=Silent()).weights for seed in (0, 0, 1)
    )
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["encoder1"], other["encoder1"])


def test_the_learning_rate_rises_and_falls_once_over_all_epochs() -> None:
    rate, momentum = one_cycle(101)
    assert rate[[0, 100]] == pytest.approx([1 / 25, 1 / 25e4])
    assert rate.argmax() == momentum.argmin() == 30
    reached = rate.max(), momentum.min(), momentum.max()
    assert reached == pytest.approx((1.0, 0.85, 0.95), abs=1e-2)


def test_training_stops_after_the_epochs_asked_for() -> None:
    found = fit(rows(), None, QUICK, seed=0, progress=Silent(), stop_after=2)
    assert [epoch.epoch for epoch in found.epochs] == [1, 2]
    assert found.best_epoch == 2


def test_training_stops_once_validation_gets_no_better() -> None:
    patient = msgspec.structs.replace(QUICK, epochs=12, patience=1, learning_rate=0.05)
    odd = Rows(Z, (Z[None, :, 0] < -1).astype(np.int8), np.zeros(len(Z), np.int32))
    found = fit(rows(), odd, patient, seed=0, progress=Silent())
    assert len(found.epochs) < 12
    assert len(found.epochs) == found.best_epoch + 1


def test_xla_computes_on_as_many_threads_as_were_asked_for() -> None:
    program = (
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from pullrisk.progress import Silent\n"
        "from pullrisk.train.fit import FitSettings, Rows, fit\n"
        "labels, own = np.zeros((1, 50), np.int8), np.zeros(50, np.int32)\n"
        "rows = Rows(np.ones((50, 3), np.float32), labels, own)\n"
        "fit(rows, None, FitSettings(epochs=1, threads={}), seed=0, progress=Silent())\n"
        "names = [path.read_text() for path in Path('/proc/self/task').glob('*/comm')]\n"
        "print(sum('XLAEigen' in name for name in names))\n"
    )
    for threads in (1, 3):
        command = [sys.executable, "-c", program.format(threads)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert int(done.stdout) == threads
