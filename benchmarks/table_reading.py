"""Anybody's labelled table as a matrix: columns made numbers, rows in order of time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pullrisk.features.schema import Feature, Scale

Matrix = NDArray[np.float32]

MOST_KINDS: Final = 20
"""Text columns with more values than this are left out."""
_LEAST_SPREAD: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns mean what; `drop` are never input (the label, the moment and the project too).

    `time` holds epoch seconds or timestamps, `effort` names the columns
    that add up to a row's size, lines added first.
    """

    label: str
    time: str | None = None
    project: str | None = None
    effort: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """n rows in order of time (where there is one): `x` [n, d], `labels`, `project` codes [n].

    `seconds` [n] is None without a time column, `effort` [n, parts] without effort columns.
    """

    name: str
    names: tuple[str, ...]
    x: Matrix
    labels: NDArray[np.int8]
    project: NDArray[np.int32]
    seconds: NDArray[np.float64] | None
    effort: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.labels)


def read_table(path: Path, columns: Columns) -> Table:
    """Read a CSV or Parquet file; raises ValueError for a column that is missing or unusable."""
    table = pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)
    named = [columns.label, columns.time, columns.project, *columns.effort]
    missing = [name for name in named if name and name not in table.column_names]
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}")
    if columns.time:
        table = table.take(pc.sort_indices(table, sort_keys=[(columns.time, "ascending")]))
    unread = {columns.label, columns.time, columns.project, *columns.drop}
    inputs = [name for name in table.column_names if name not in unread]
    parts = [part for name in inputs for part in _numbers(name, table[name])]
    if not parts:
        raise ValueError(f"{path} has no column to learn from")
    return Table(
        path.stem,
        tuple(name for name, _ in parts),
        np.stack([values for _, values in parts], axis=1),
        _labels(table[columns.label], columns.label),
        _codes(table, columns.project),
        _seconds(table[columns.time]) if columns.time else None,
        _effort(table, columns.effort),
    )


def _numbers(name: str, column: Any) -> list[tuple[str, Matrix]]:  # noqa: ANN401  (pyarrow has no types)
    """A column as numbers: itself (NaN where empty), or one flag for each of a few words."""
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return [(name, _floats(column).astype(np.float32))]
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return []
    words = pc.unique(column).to_pylist()
    if not 1 < len(words) <= MOST_KINDS:
        return []
    flags = ((word, pc.fill_null(pc.equal(column, word), False)) for word in words if word)
    return [(f"{name} is {word}", _floats(flag).astype(np.float32)) for word, flag in flags]


def _floats(column: Any) -> NDArray[np.float64]:  # noqa: ANN401
    return np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)


def _labels(column: Any, name: str) -> NDArray[np.int8]:  # noqa: ANN401
    values = _floats(column)
    if not np.isin(values, (0.0, 1.0)).all() or len(np.unique(values)) != 2:
        raise ValueError(f"label {name} is not 0 and 1 (or false and true), both of them")
    return values.astype(np.int8)


def _codes(table: Any, project: str | None) -> NDArray[np.int32]:  # noqa: ANN401
    if project is None:
        return np.zeros(table.num_rows, np.int32)
    coded = pc.dictionary_encode(table[project].combine_chunks())
    return np.asarray(coded.indices.to_numpy(), np.int32)


def _seconds(column: Any) -> NDArray[np.float64]:  # noqa: ANN401
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
        return _floats(column) / 1e6
    return _floats(column)


def _effort(table: Any, names: Sequence[str]) -> NDArray[np.float64] | None:  # noqa: ANN401
    if not names:
        return None
    return np.nan_to_num(np.stack([_floats(table[name]) for name in names], axis=1))


def without_gaps(table: Table, known: int) -> Table:
    """Fill each gap with the median of the first `known` rows; flag it in its own column."""
    gaps = np.isnan(table.x)
    some = np.flatnonzero(gaps.any(axis=0)).tolist()
    if not some:
        return table
    filled = table.x.copy()
    for column in some:
        seen = table.x[:known, column]
        seen = seen[~np.isnan(seen)]
        filled[gaps[:, column], column] = np.median(seen) if len(seen) else 0.0
    flags = gaps[:, some].astype(np.float32)
    names = (*table.names, *(f"{table.names[column]} is missing" for column in some))
    return replace(table, names=names, x=np.hstack([filled, flags]))


def infer_features(x: NDArray[np.float32], names: Sequence[str]) -> tuple[Feature, ...]:
    """Features for the columns [n, d] of a table that says nothing of them but their names.

    A column of 0 and 1 is a flag; one without negative values whose tail is long (a skewness
    above one) is read by its logarithm; any other as it is.
    """
    return tuple(
        Feature(name, "table", "", name, _scale_of(x[:, column].astype(np.float64)))
        for column, name in enumerate(names)
    )


def _scale_of(values: NDArray[np.float64]) -> Scale:
    if np.isin(values, (0.0, 1.0)).all():
        return "flag"
    spread = float(values.std())
    if spread < _LEAST_SPREAD or float(values.min()) < 0:
        return "linear"
    skewness = float(np.mean(((values - values.mean()) / spread) ** 3))
    return "log" if skewness > 1 else "linear"
