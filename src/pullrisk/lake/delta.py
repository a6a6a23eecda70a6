"""The lake's Delta table: its files and current runs at one version, and what a run changes."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import msgspec

from pullrisk.errors import needs_extra
from pullrisk.lake import log
from pullrisk.lake.files import Files, translate_errors
from pullrisk.lake.schema import TABLE, Identity
from pullrisk.lake.writer import AddedFile

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

HISTORY_NUMBERS: Final = 2**20
"""A run may save histories under its own number and this many that follow: one for each attempt
at a task, so that no attempt overwrites another's. Runs are numbered by nanoseconds."""
_NO_RUN: Final = 0


class TableFile(msgspec.Struct, frozen=True):
    """A Parquet file of the table; its repositories lie between `first` and `last`."""

    path: str
    size: int
    rows: int
    first: str
    last: str

    def may_hold(self, repository: str) -> bool:
        """Whether rows of the repository can be in it."""
        return self.first <= repository <= self.last


class FeatureTable:
    """The Delta table at one version. Raises LakeError if a newer pullrisk wrote it."""

    def __init__(self, files: Files, snapshot: log.Snapshot) -> None:
        self.files = files
        self._snapshot = snapshot
        self.identity = Identity.read(snapshot.description, root=files.root)

    @classmethod
    def open(cls, files: Files, *, version: int | None = None) -> "FeatureTable | None":
        """The table's latest or a given version; None if there is no table."""
        snapshot = log.read(files, TABLE, version=version)
        return None if snapshot is None else cls(files, snapshot)

    @cached_property
    def delta(self) -> "DeltaTable":
        """The same version for delta-rs, which writes. Raises MissingExtraError without it."""
        with needs_extra("lake"):
            from deltalake import DeltaTable
        with translate_errors(self.files.root):
            return DeltaTable(uri(self.files), self.version, self.files.storage_options)

    @property
    def version(self) -> int:
        """Number of the commit that made this state."""
        return self._snapshot.version

    def current_run(self, repository: str) -> int | None:
        """The run whose history of the repository is current, or None."""
        return self._snapshot.transactions.get(app_id(repository), _NO_RUN) or None

    def parquet_files(self) -> list[TableFile]:
        """The files of this version, from Delta's log alone."""
        return [_table_file(added) for added in self._snapshot.files.values()]


def uri(files: Files) -> str:
    """Where delta-rs finds the table."""
    return f"{files.root}/{TABLE}"


def app_id(repository: str) -> str:
    """The Delta application whose transaction names the repository's current run."""
    return f"history:{repository}"


class _Bounds(msgspec.Struct):
    repository: str


class _Statistics(msgspec.Struct, rename="camel"):
    num_records: int
    min_values: _Bounds
    max_values: _Bounds


def _table_file(added: log.Added) -> TableFile:
    statistics = msgspec.json.decode(added.stats or "{}", type=_Statistics)
    first, last = statistics.min_values.repository, statistics.max_values.repository
    return TableFile(unquote(added.path), added.size, statistics.num_records, first, last)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one run does to the lake.

    `base` names each repository of the run and the run it built upon (None = from scratch on
    nothing); `histories` those whose history was saved under another number than the run's;
    `replaced` are those whose earlier rows go, `gone` those that leave the lake; `base_version`
    is the table's version when the run was planned (None = no table).
    """

    run: int
    base: Mapping[str, int | None]
    base_version: int | None
    files: list[AddedFile]
    histories: Mapping[str, int] = {}
    replaced: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    facts: Mapping[str, object] = {}

    @property
    def properties(self) -> "CommitProperties":
        """The run's facts, and the transactions that make its histories current."""
        from deltalake import CommitProperties, Transaction

        runs = dict.fromkeys(self.base, self.run) | dict(self.histories)
        runs |= dict.fromkeys(self.gone, 0)
        return CommitProperties(
            custom_metadata={"pullrisk": {"run": self.run, **self.facts}},
            app_transactions=[Transaction(app_id(name), run) for name, run in runs.items()],
        )

    def shown_by(self, table: FeatureTable | None) -> bool:
        """Whether the table has this very change."""
        return table is not None and any(
            table.current_run(name) == self.histories.get(name, self.run) for name in self.base
        )


def landed(table: FeatureTable | None, run: int, repositories: Iterable[str]) -> bool:
    """Whether the table shows the run."""
    return table is not None and any(
        run <= (table.current_run(name) or 0) < run + HISTORY_NUMBERS for name in repositories
    )
