"""What pulls say of themselves, kept as columns: an object for every pull would fill the memory."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pullrisk.features.pull_text import PullText

if TYPE_CHECKING:
    import pyarrow as pa


def said_columns(table: "pa.Table") -> "pa.Table | None":
    """The columns of a feature table that tell what each pull says; None where one is missing."""
    if not set(PullText._fields) <= set(table.column_names):
        return None
    return table.select(PullText._fields)


def said_of_rows(
    said: "pa.Table | None", rows: NDArray[np.intp] | NDArray[np.bool_]
) -> "pa.Table | None":
    """Only `rows` (indices or a mask) of the columns."""
    if said is None:
        return None
    return said.take(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)


def each_said(said: "pa.Table") -> list[PullText]:
    """The rows as objects, in their order."""
    titles, labels, paths, reverts = (said[name].to_pylist() for name in PullText._fields)
    return [
        PullText(title or "", tuple(label or ()), tuple(path or ()), bool(names))
        for title, label, path, names in zip(titles, labels, paths, reverts, strict=True)
    ]
