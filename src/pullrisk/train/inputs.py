"""What training and judging start from: the feature table, checked, and what is odd about it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pullrisk.errors import LakeError
from pullrisk.train.dataset import Dataset

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED = 5


def read_dataset(table: "pa.Table", names: Sequence[str], *, maturity_days: float) -> Dataset:
    """The feature table as a dataset.

    Raises LakeError for a missing column and for a value that is not a number, which would
    spoil every weight of a network; NotEnoughDataError for an empty table.
    """
    dataset = Dataset.from_table(table, names, maturity_days=maturity_days)
    finite = np.isfinite(dataset.x)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        repository = dataset.repositories[dataset.repository[row]]
        raise LakeError(
            f"feature {dataset.names[column]} of {repository}#{dataset.number[row]} is "
            f"{dataset.x[row, column]}, not a number ({(~finite).any(axis=1).sum():,} such pulls)",
            hint="rebuild the table with `pullrisk preprocess --full`",
        )
    return dataset


def oddities(dataset: Dataset) -> tuple[str, ...]:
    """What a reader of the figures should know of the data: constant features, one repository."""
    notes = []
    constant = dataset.x.min(axis=0) == dataset.x.max(axis=0)
    names = [name for name, same in zip(dataset.names, constant.tolist(), strict=True) if same]
    if names:
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        notes.append(
            f"{len(names)} of {len(dataset.names)} features have one value everywhere and tell "
            f"nothing: {', '.join(names[:_NAMED])}{more}"
        )
    if len(np.unique(dataset.repository)) == 1:
        notes.append("there is one repository: AUC within repositories and pooled are the same")
    return tuple(notes)
