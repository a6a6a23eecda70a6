"""What the order of time adds to a table's columns; every model of the benchmark reads it.

A row sees only rows before it, and of those only labels of rows to learn from.
"""

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.model.scaling import Scaling
from table_reading import Matrix, Table, infer_features

_DAY: Final = 86_400.0
_NEIGHBOURS: Final = (10, 50)
_RECENT: Final = 5_000
_BLOCKS: Final = 20


def with_history(table: Table, known: int) -> tuple[Matrix, tuple[str, ...]]:
    """The table's columns and what time adds; labels of the first `known` rows may be used."""
    if table.seconds is None:
        return table.x, table.names
    circle, moments = calendar(table.seconds)
    beside = beside_recent(table.x, table.project)
    alike = neighbours(table.x, table.labels[:known], table.names)
    names = (
        *table.names,
        *moments,
        *(f"{name} beside recent rows" for name in table.names),
        *(f"label of the {count} nearest earlier rows" for count in _NEIGHBOURS),
    )
    return np.hstack([table.x, circle, beside, alike]), names


def calendar(seconds: NDArray[np.float64]) -> tuple[Matrix, tuple[str, ...]]:
    """Hour of the day and day of the week (UTC) as points on a circle, [n, 4]."""
    day = 2 * np.pi * (seconds % _DAY) / _DAY
    week = 2 * np.pi * (seconds % (7 * _DAY)) / (7 * _DAY)
    circle = np.stack([np.sin(day), np.cos(day), np.sin(week), np.cos(week)], axis=1)
    return circle.astype(np.float32), ("hour sine", "hour cosine", "week sine", "week cosine")


def beside_recent(x: Matrix, project: NDArray[np.int32], *, rows: int = 1_000) -> Matrix:
    """Each value (as signed log) less its mean over the project's `rows` rows before, [n, d]."""
    values = (np.sign(x) * np.log1p(np.abs(x))).astype(np.float64)
    beside = np.zeros_like(values)
    for code in np.unique(project).tolist():
        own = np.flatnonzero(project == code)
        total = np.vstack([np.zeros(x.shape[1]), np.cumsum(values[own], axis=0)])
        here = np.arange(len(own))
        since = np.maximum(0, here - rows)
        mean = (total[here] - total[since]) / np.maximum(1, here - since)[:, None]
        beside[own[1:]] = values[own[1:]] - mean[1:]
    return beside.astype(np.float32)


def neighbours(x: Matrix, known: NDArray[np.int8], names: tuple[str, ...]) -> Matrix:
    """Share of ones among the nearest rows of a block's recent past (Cover and Hart 1967), [n, 2].

    The rows that have labels are cut into blocks in order of time; a row looks at those of
    earlier blocks, rows without labels at the latest of all that have one.
    """
    from sklearn.neighbors import NearestNeighbors

    past = x[: len(known)]
    z = Scaling.fit(past, infer_features(past, names)).apply(x)
    shares = np.full((len(x), len(_NEIGHBOURS)), known.mean(), np.float32)
    edges = [*np.linspace(0, len(known), _BLOCKS + 1).astype(int).tolist(), len(x)]
    for start, end in pairwise(edges[1:]):
        since = max(0, start - _RECENT)
        count = min(max(_NEIGHBOURS), start - since)
        search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(z[since:start])
        for first in range(start, end, _RECENT):
            rows = slice(first, min(end, first + _RECENT))
            labels = known[since:start][search.kneighbors(z[rows], return_distance=False)]
            shares[rows] = [[own[:n].mean() for n in _NEIGHBOURS] for own in labels]
    return shares
