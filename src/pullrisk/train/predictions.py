"""What a model said of the pulls of its test window, kept to compare later models with it.

A later installation may compute other features, which the old model cannot read; what it said
still can be compared.
"""

from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.model.bundle import Bundle
from pullrisk.train.dataset import Dataset

_COLUMNS: Final = ("repository", "number", "risk")


def record(bundle: Bundle, dataset: Dataset) -> bytes | None:
    """The risk of every pull that the bundle never saw, as Parquet; None without a risk.

    Pulls too young for a label are in it: they mature.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = unseen(bundle, dataset)
    if not bundle.metadata.risk_available or not rows.any():
        return None
    names = pa.array(dataset.repositories, pa.string())
    columns = (
        pa.DictionaryArray.from_arrays(pa.array(dataset.repository[rows]), names),
        pa.array(dataset.number[rows]),
        pa.array(bundle.raw(dataset.x[rows])[0].astype(np.float32)),
    )
    buffer = BytesIO()
    pq.write_table(pa.table(dict(zip(_COLUMNS, columns, strict=True))), buffer)
    return buffer.getvalue()


def recall(data: bytes, dataset: Dataset) -> NDArray[np.float64]:
    """The recorded risk of each pull of a dataset, [n]; NaN where none was recorded."""
    import pyarrow.parquet as pq

    table = pq.read_table(BytesIO(data))
    columns = (table[name].to_pylist() for name in _COLUMNS)
    said = {(name, number): risk for name, number, risk in zip(*columns, strict=True)}
    names = dataset.repositories
    pulls = zip(dataset.repository.tolist(), dataset.number.tolist(), strict=True)
    return np.array([said.get((names[code], number), np.nan) for code, number in pulls], np.float64)


def unseen(bundle: Bundle, dataset: Dataset) -> NDArray[np.bool_]:
    """Which pulls were merged after everything that the bundle learnt from, [n].

    Of a repository that it did not learn from, all are.
    """
    until = bundle.metadata.facts.trained_until
    first = np.iinfo(np.int64).min
    moments = np.array([until.get(name, first) for name in dataset.repositories], np.int64)
    return np.asarray(dataset.merged_at >= moments[dataset.repository])
