"""A small trained model, for tests that need one."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa

from pullrisk.features import NAMES as REAL
from pullrisk.features.schema import Feature
from pullrisk.model.network import Shape
from pullrisk.progress import Silent
from pullrisk.train.dataset import Dataset
from pullrisk.train.fit import FitSettings
from pullrisk.train.training import Trained, TrainSettings, train
from support.tables import FEATURES, NAMES, SCHEMA, feature_table, with_repairs

QUICK = FitSettings(shape=Shape(members=2, hidden=16, code=4), epochs=4, batch=128)


def quick_dataset(table: pa.Table | None = None) -> Dataset:
    return Dataset.from_table(feature_table() if table is None else table, NAMES)


def quick_train(dataset: Dataset, *, seed: int = 0) -> Trained:
    settings = TrainSettings(seed=seed, fit=QUICK)
    return train(dataset, FEATURES, settings, schema_hash=SCHEMA, progress=Silent())


@cache
def shared_training() -> tuple[Dataset, Trained]:
    """Trained once for all tests of a process; read only."""
    dataset = _read_only(quick_dataset())
    return dataset, quick_train(dataset)


@cache
def training_of_both() -> tuple[Dataset, Trained]:
    """Like shared_training, of repairs as well as reverts."""
    dataset = _read_only(quick_dataset(with_repairs(feature_table(pulls=2500, rate=0.12))))
    return dataset, quick_train(dataset)


@cache
def training_with_code() -> tuple[Dataset, Trained]:
    """Like shared_training, on a table that has code lines too; half of the pulls change none."""
    return _with_code(feature_table())


@cache
def training_of_both_with_code() -> tuple[Dataset, Trained]:
    """Like training_with_code, of repairs as well as reverts."""
    return _with_code(with_repairs(feature_table(pulls=2500, rate=0.12)))


def _with_code(table: pa.Table) -> tuple[Dataset, Trained]:
    random = np.random.default_rng(0)
    added = np.floor(table["additions"].to_numpy() * random.choice([0, 0.7], table.num_rows))
    columns = {"code_added": added, "code_removed": np.zeros(table.num_rows)}
    for name, values in columns.items():
        table = table.append_column(name, pa.array(values.astype(np.float32)))
    features = (*FEATURES, *(Feature(name, "lines", "lines", name, "log") for name in columns))
    dataset = _read_only(Dataset.from_table(table, [feature.name for feature in features]))
    settings = TrainSettings(fit=QUICK)
    return dataset, train(dataset, features, settings, schema_hash=SCHEMA, progress=Silent())


def _read_only(dataset: Dataset) -> Dataset:
    """The dataset, whose arrays no test can change for the others."""
    for name in Dataset.__slots__:
        if isinstance(column := getattr(dataset, name), np.ndarray):
            column.flags.writeable = False
    return dataset


def full_table(pulls: int = 1500) -> pa.Table:
    """The small synthetic table with the columns of the real schema, the rest of them noise."""
    random = np.random.default_rng(0)
    return _filled(feature_table(pulls), lambda rows: random.random(rows, np.float32))


def learnable_table() -> pa.Table:
    """A table that a network learns better than a logistic regression, and boosting not better.

    Its risk is curved, its outcomes are many and the columns that say nothing stand still: what
    another seed, or the arithmetic of another processor, changes is far below these differences.
    """
    table = feature_table(pulls=2500, rate=0.15, curved=True)
    return _filled(table, lambda rows: np.zeros(rows, np.float32))


def _filled(table: pa.Table, values: Callable[[int], np.ndarray]) -> pa.Table:
    for name in sorted(set(REAL) - set(NAMES)):
        table = table.append_column(name, pa.array(values(table.num_rows)))
    return table
