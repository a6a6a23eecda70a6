"""`spark.read.format("pullrisk")`: the pull store as a DataFrame, for questions of one's own.

A partition is one large repository or several small ones. Conditions on `repository` and lower
bounds of `updated_at` are pushed down to what is read. Spark tells a Python Data Source of no
column pruning (4.3): name the columns to read with the option `columns` instead, and the
others are neither built nor sent.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.datasource import (
    DataSource,
    DataSourceReader,
    EqualTo,
    Filter,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    InputPartition,
)
from pyspark.sql.types import StructType

from pullrisk.errors import SettingsError
from pullrisk.pulls.record import Pull, encode
from pullrisk.pulls.store import PullStore

FORMAT: Final = "pullrisk"
_BATCH: Final = 2_000
_PARTITION_PULLS: Final = 20_000
_TIME: Final = pa.timestamp("us", "UTC")

COLUMNS: Final[dict[str, tuple[str, pa.DataType, Callable[[Pull], object]]]] = {
    "repository": ("string", pa.string(), lambda pull: pull.repository),
    "number": ("bigint", pa.int64(), lambda pull: pull.number),
    "state": ("string", pa.string(), lambda pull: pull.state),
    "created_at": ("timestamp", _TIME, lambda pull: pull.created_at),
    "updated_at": ("timestamp", _TIME, lambda pull: pull.updated_at),
    "merged_at": ("timestamp", _TIME, lambda pull: pull.merged_at),
    "closed_at": ("timestamp", _TIME, lambda pull: pull.closed_at),
    "title": ("string", pa.string(), lambda pull: pull.title),
    "author": ("string", pa.string(), lambda pull: pull.author),
    "bot": ("boolean", pa.bool_(), lambda pull: pull.bot),
    "additions": ("bigint", pa.int64(), lambda pull: pull.additions),
    "deletions": ("bigint", pa.int64(), lambda pull: pull.deletions),
    "changed_files": ("bigint", pa.int64(), lambda pull: pull.changed_files),
    "record": ("binary", pa.binary(), encode),
}
"""Name → type in Spark, type in Arrow, value. `record` is `record.encode`'s MessagePack."""


def register(spark: SparkSession, store: PullStore) -> None:
    """Make `spark.read.format("pullrisk")` read this store, by pickled copies of it."""
    source = type("PullSource", (_PullSource,), {"open_store": partial(_same, store)})
    spark.dataSource.register(source)


def _same(store: PullStore) -> PullStore:
    return store


class _Repositories(InputPartition):
    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names


class _PullSource(DataSource):
    open_store: Callable[[], PullStore]

    @classmethod
    def name(cls) -> str:
        return FORMAT

    def schema(self) -> str:
        return ", ".join(f"{name} {COLUMNS[name][0]}" for name in self._columns())

    def reader(self, schema: StructType) -> DataSourceReader:
        return _PullReader(type(self).open_store(), self._columns())

    def _columns(self) -> list[str]:
        given = self.options.get("columns")
        names = [name.strip() for name in given.split(",")] if given else list(COLUMNS)
        for name in names:
            if name not in COLUMNS:
                raise SettingsError(
                    f"the pull store has no column {name}", hint=f"it has {', '.join(COLUMNS)}"
                )
        return names


class _PullReader(DataSourceReader):
    def __init__(self, store: PullStore, columns: list[str]) -> None:
        self._store, self._columns = store, columns
        self._only: set[str] | None = None
        self._since: list[tuple[datetime, bool]] = []

    def pushFilters(self, filters: list[Filter]) -> Iterable[Filter]:  # noqa: N802
        """Take what says which repositories, or since when; Spark keeps the others."""
        for condition in filters:
            if not self._takes(condition):
                yield condition

    def _takes(self, condition: Filter) -> bool:
        match condition:
            case EqualTo(("repository",), str(name)):
                self._restrict([name])
            case In(("repository",), names):
                self._restrict([name for name in names if isinstance(name, str)])
            case GreaterThanOrEqual(("updated_at",), datetime() as since):
                self._since.append((since, True))
            case GreaterThan(("updated_at",), datetime() as since):
                self._since.append((since, False))
            case _:
                return False
        return True

    def _restrict(self, names: Sequence[str]) -> None:
        self._only = set(names) if self._only is None else self._only & set(names)

    def partitions(self) -> Sequence[InputPartition]:
        """Repositories by size, so that the large ones start first."""
        with self._store as store:
            known = [one for one in store.repositories() if self._is_wanted(one)]
        parts: list[list[str]] = []
        room = 0
        for one in sorted(known, key=lambda one: one.pulls, reverse=True):
            if not parts or one.pulls > room:
                parts.append([])
                room = _PARTITION_PULLS
            parts[-1].append(one.repository)
            room -= one.pulls
        return [_Repositories(tuple(names)) for names in parts]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The pulls of the partition's repositories, each by number."""
        assert isinstance(partition, _Repositories)  # noqa: S101  # ours, from `partitions`
        with self._store as store:
            for name in partition.names:
                pulls = filter(self._is_since, store.pulls(name))
                while batch := list(islice(pulls, _BATCH)):
                    yield self._batch(batch)

    def _batch(self, pulls: list[Pull]) -> pa.RecordBatch:
        made = {
            name: pa.array([COLUMNS[name][2](pull) for pull in pulls], COLUMNS[name][1])
            for name in self._columns
        }
        return pa.RecordBatch.from_pydict(made)

    def _is_wanted(self, summary: Any) -> bool:  # noqa: ANN401  # a RepositorySummary
        if self._only is not None and summary.repository not in self._only:
            return False
        return all(summary.last_updated_at >= since for since, _ in self._since)

    def _is_since(self, pull: Pull) -> bool:
        return all(
            pull.updated_at > since or (inclusive and pull.updated_at == since)
            for since, inclusive in self._since
        )
