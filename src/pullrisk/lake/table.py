"""`Lake`: the feature table and the histories, read at one version; written run by run."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from pullrisk.errors import LakeError, NotEnoughDataError, needs_extra
from pullrisk.features import NAMES
from pullrisk.lake.delta import HISTORY_NUMBERS, Change, FeatureTable, landed
from pullrisk.lake.files import check_folder, open_files, translate_errors
from pullrisk.lake.objects import Objects, path, repository_of, run_of
from pullrisk.lake.s3 import check_conditional_put
from pullrisk.lake.schema import SCHEMA, TABLE
from pullrisk.lake.writer import delete_run
from pullrisk.options import S3
from pullrisk.pulls.consumed import ConsumedPulls

_ORDER: Final = ("repository", "merged_at", "number")
GRACE: Final = timedelta(days=1)
"""How long vacuum leaves files alone that nothing refers to: a run may be about to commit them."""


class Run(msgspec.Struct, frozen=True):
    """One commit to the lake: its version, when, and the facts its run recorded."""

    version: int
    committed_at: datetime
    facts: dict[str, Any]


class Lake:
    """The lake in a folder or a bucket. Every read is of one version: the latest when first used.

    `refresh` moves to the newest. Methods raise LakeError (unreadable, or written by a newer
    pullrisk) and NotEnoughDataError if there is no table yet.
    """

    def __init__(self, uri: str | Path, *, s3: S3 | None = None) -> None:
        self.files = open_files(uri, s3)
        self.objects = Objects(self.files)
        self._table: FeatureTable | None = None

    @property
    def uri(self) -> str:
        """Where the lake is, as an absolute path or an s3:// URI."""
        return self.files.root

    def check(self) -> None:
        """Check that runs can be written; raises LakeError that says what is missing.

        A bucket without a table yet is tried for conditional puts.
        """
        self.files.check()
        s3 = self.files.s3
        if s3 is None:
            check_folder(self.files.root)
        if s3 is not None and s3.conditional_put and not self.exists():
            check_conditional_put(s3, self.uri)

    def exists(self) -> bool:
        """Whether a run was ever committed."""
        return self._snapshot() is not None

    def refresh(self, *, version: int | None = None) -> None:
        """Read from the newest version on, or from a given one."""
        self._table = FeatureTable.open(self.files, version=version)

    @property
    def version(self) -> int | None:
        """The version that is read; None if there is no table."""
        table = self._snapshot()
        return None if table is None else table.version

    @property
    def schema_hash(self) -> str | None:
        """The feature schema that the table was made with; None if there is no table."""
        table = self._snapshot()
        return None if table is None else table.identity.schema_hash

    @property
    def misfit(self) -> str | None:
        """Why the table has to be rebuilt: another layout or feature schema; None if it fits."""
        table = self._snapshot()
        return None if table is None else table.identity.misfit

    def current_run(self, repository: str) -> int | None:
        """The run that last wrote the repository's history, or None."""
        table = self._snapshot()
        return None if table is None else table.current_run(repository)

    def repositories(self) -> list[str]:
        """Every repository that has a history, by name."""
        names = {repository_of(file.path) for file in self.objects.stored() if run_of(file.path)}
        return sorted(name for name in names if self.current_run(name))

    def table(
        self,
        columns: Sequence[str] | None = None,
        *,
        repository: str | None = None,
        numbers: Collection[int] | None = None,
    ) -> pa.Table:
        """Rows by (repository, merged_at, number), in the named columns of SCHEMA or all.

        Of one repository where it is named, and of it only the pulls with these `numbers`.
        Refuses a table of another layout or feature schema.
        """
        table = self._readable()
        selected = SCHEMA.names if columns is None else list(columns)
        files = [
            f"{TABLE}/{file.path}"
            for file in table.parquet_files()
            if repository is None or file.may_hold(repository)
        ]
        with translate_errors(self.uri):
            rows = ds.dataset(files, SCHEMA, "parquet", filesystem=self.files.filesystem).to_table(
                list(dict.fromkeys([*selected, *_ORDER])),
                filter=_filter(repository, numbers),
            )
        order = [(name, "ascending") for name in _ORDER]
        return rows.take(pc.sort_indices(rows, order)).select(selected)

    def rows(
        self, repository: str, numbers: Collection[int] | None = None
    ) -> tuple[list[int], NDArray[np.float32]]:
        """Numbers and rows of features [n, d] of a repository's merged pulls, the earliest first.

        Of only the pulls with these `numbers` if they are given; refuses another schema's table.
        """
        table = self.table(["number", *NAMES], repository=repository, numbers=numbers)
        rows = np.stack([table[name].to_numpy() for name in NAMES], axis=1, dtype=np.float32)
        row_numbers = table["number"].to_pylist()
        del table
        pa.default_memory_pool().release_unused()  # a whole repository was read for a few rows
        return row_numbers, rows

    def history(self, repository: str) -> bytes | None:
        """The repository's saved history, None if it has none; refuses another schema's.

        Raises DamagedObjectError, a LakeError.
        """
        run = self._readable().current_run(repository)
        return None if run is None else self.objects.history(repository, run)

    def consumed(self, repository: str) -> ConsumedPulls | None:
        """What the repository's history has consumed; raises DamagedObjectError."""
        run = self.current_run(repository)
        return None if run is None else self.objects.consumed(repository, run)

    def runs(self, limit: int | None = None) -> list[Run]:
        """The latest runs, newest first, with the facts that each recorded."""
        table = self._snapshot()
        if table is None:
            return []
        with translate_errors(self.uri):
            entries = table.delta.history(limit)
        return [
            Run(
                entry["version"],
                datetime.fromtimestamp(entry["timestamp"] / 1000, UTC),
                entry["pullrisk"],
            )
            for entry in entries
            if "pullrisk" in entry
        ]

    def commit(self, change: Change) -> int:
        """Make a run visible, atomically, and move to its version; see `commit.commit`."""
        with needs_extra("lake"):
            from pullrisk.lake.commit import commit
        version = commit(self.files, change)
        self.refresh(version=version)
        return version

    def discard(self, run: int, repositories: Sequence[str]) -> None:
        """Delete what a failed run wrote for these repositories, unless it was committed."""
        self.files.check()
        self.refresh()
        if landed(self._table, run, repositories):
            return
        delete_run(self.files, run)
        for file in self.objects.stored(set(repositories)):
            if run <= run_of(file.path) < run + HISTORY_NUMBERS:
                self.files.delete(file.path)

    def vacuum(self, *, older_than: timedelta = GRACE) -> list[str]:
        """Delete files that no current state refers to; returns their paths.

        Rows that later runs replaced go with them, so versions before `older_than` (whole
        hours) can no longer be read.
        """
        self.refresh()
        table = self._snapshot()
        deleted = [] if table is None else self._vacuum_rows(table, older_than)
        self.refresh()
        return deleted + self.vacuum_objects(older_than=older_than)

    def vacuum_objects(
        self, repositories: Sequence[str] | None = None, *, older_than: timedelta
    ) -> list[str]:
        """Delete superseded and orphaned objects; returns their paths."""
        before = datetime.now(UTC) - older_than
        deleted = []
        for file in self.objects.stored(None if repositories is None else set(repositories)):
            if file.modified_at <= before and not self._is_current(file.path):
                self.files.delete(file.path)
                deleted.append(file.path)
        return deleted

    def _vacuum_rows(self, table: FeatureTable, older_than: timedelta) -> list[str]:
        with translate_errors(self.uri):
            names = table.delta.vacuum(
                int(older_than / timedelta(hours=1)),
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
            )
        return [f"{TABLE}/{name}" for name in names]

    def _is_current(self, where: str) -> bool:
        repository = repository_of(where)
        run = self.current_run(repository)
        return run is not None and where in (
            path(repository, run, "history"),
            path(repository, run, "ledger"),
        )

    def _snapshot(self) -> FeatureTable | None:
        if self._table is None:
            self.files.check()
            self.refresh()
        return self._table

    def _readable(self) -> FeatureTable:
        table = self._snapshot()
        if table is None:
            raise NotEnoughDataError(
                f"the lake {self.uri} has no feature table yet", hint="run `pullrisk preprocess`"
            )
        if misfit := table.identity.misfit:
            raise LakeError(
                f"lake {self.uri} was made with {misfit}",
                hint="run `pullrisk preprocess`: it rebuilds the whole table",
            )
        return table


def _filter(repository: str | None, numbers: Collection[int] | None) -> pc.Expression | None:
    if repository is None:
        return None
    of_repository = pc.field("repository") == repository
    return (
        of_repository if numbers is None else of_repository & pc.field("number").isin(list(numbers))
    )
