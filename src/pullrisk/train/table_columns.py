"""Columns of the feature table that are no features: links to other pulls, and what pulls say."""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from pullrisk.arrays import Bools, Indices, Int32, Int64
from pullrisk.features.pull_text import PullText
from pullrisk.pulls.store import microseconds

if TYPE_CHECKING:
    import pyarrow as pa


NEVER: Final = np.iinfo(np.int64).max
"""The moment of an outcome that has not happened."""


class Keys:
    """Finds the row of (repository, number) for many pairs at once."""

    def __init__(self, repository: Int32, number: Int64, merged_at: Int64) -> None:
        self._repository, self._merged_at = repository, merged_at
        self._numbers = np.unique(number)
        keys = self._key(repository, number)
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def _key(self, repository: Int32, number: Int64) -> Int64:
        # A number's rank, because numbers may be as large as 2**53 and would overflow.
        rank = np.searchsorted(self._numbers, number)
        return repository.astype(np.int64) * (len(self._numbers) + 1) + rank

    def first(
        self,
        row: Int64,
        named: Int64,
        kinds: NDArray[np.str_],
        told_at: Int64,
        *,
        kind: str,
        within: int = NEVER,
    ) -> Int64:
        """When each pull was first named by a later link of `kind`, [n].

        NEVER where that was not within so many µs of its merge.
        """
        chosen = (kinds == kind) & np.isin(named, self._numbers)
        row, named, at = row[chosen], named[chosen], told_at[chosen]
        moments = np.full(len(self._merged_at), NEVER, np.int64)
        if not len(row):
            return moments
        key = self._key(self._repository[row], named)
        place = np.minimum(np.searchsorted(self._sorted, key), len(self._sorted) - 1)
        target = self._order[place]
        since = self._merged_at[target]
        at = np.where(at == NEVER, self._merged_at[row], at)
        valid = (self._sorted[place] == key) & (row != target)
        valid &= (at >= since) & (at - since <= within)
        np.minimum.at(moments, target[valid], at[valid])
        return moments


def links_of(table: "pa.Table") -> tuple[Int64, Int64, NDArray[np.str_], Int64]:
    """Every link: the row that carries it, the pull number it names, its kind, its time.

    The time, in µs, is NEVER where it is the merge of the row: only direct pushes have their own.
    """
    links = table["links"].combine_chunks()
    flat = links.flatten()
    row = np.repeat(np.arange(len(links)), links.value_lengths().fill_null(0).to_numpy())
    named = flat.field("number").to_numpy(zero_copy_only=False).astype(np.int64)
    kinds = np.array(flat.field("kind").to_pylist(), dtype=np.str_)
    moments = [NEVER if at is None else microseconds(at) for at in flat.field("at").to_pylist()]
    return row, named, kinds, np.array(moments, dtype=np.int64)


def text_columns(table: "pa.Table") -> "pa.Table | None":
    """The columns of a feature table that tell what each pull says; None if one is missing."""
    if not set(PullText._fields) <= set(table.column_names):
        return None
    return table.select(PullText._fields)


def texts_of_rows(texts: "pa.Table | None", rows: Indices | Bools) -> "pa.Table | None":
    """Only `rows` (indices or a mask) of the columns."""
    if texts is None:
        return None
    return texts.take(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)


def pull_texts(texts: "pa.Table") -> list[PullText]:
    """The rows as objects, in their order."""
    titles, labels, paths, reverts = (texts[name].to_pylist() for name in PullText._fields)
    return [
        PullText(title or "", tuple(label or ()), tuple(path or ()), bool(names))
        for title, label, path, names in zip(titles, labels, paths, reverts, strict=True)
    ]
