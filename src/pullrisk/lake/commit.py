"""One run as one atomic Delta commit: all of it becomes visible, or nothing.

Delta's optimistic concurrency does the work. The commit carries, for each repository of the
run, an application transaction; delta-rs refuses it when another commit wrote the same one
since. Runs over different repositories conflict only over files they both rewrite; the loser
reads the new state and tries again.
"""

import time
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from pullrisk.errors import LakeError
from pullrisk.lake.delta import Change, FeatureTable, TableFile, uri
from pullrisk.lake.files import Files, translate_errors
from pullrisk.lake.schema import SCHEMA, TABLE, Identity
from pullrisk.lake.writer import OWN_FILE_ROWS, AddedFile, FeatureWriter, delete_added

SMALL_FILES: Final = 32
"""When more files than this have fewer than OWN_FILE_ROWS rows, a commit merges them."""
_ATTEMPTS: Final = 20


def commit(files: Files, change: Change) -> int:
    """Make the change visible; the version that shows it.

    Raises LakeError, then nothing is visible: another run committed one of these repositories
    first, or the lake cannot be written.
    """
    for _ in range(_ATTEMPTS):
        table = FeatureTable.open(files)
        _refuse_overtaken(files, table, change)
        try:
            with translate_errors(files.root):
                _write(files, table, change)
        except LakeError:
            latest = FeatureTable.open(files)
            # Where the commit itself succeeded, only what follows it (a checkpoint) failed.
            if not change.shown_by(latest):
                if _version(latest) == _version(table):
                    raise
                continue
        return _version(FeatureTable.open(files))
    raise LakeError(f"lake {files.root}: other runs keep committing", hint="run again")


def _refuse_overtaken(files: Files, table: FeatureTable | None, change: Change) -> None:
    if table is None or table.identity.misfit:
        overtaken = change.base_version != (None if table is None else table.version)
    else:
        overtaken = any(table.current_run(name) != run for name, run in change.base.items())
    if overtaken:
        raise LakeError(
            f"lake {files.root}: another run committed while this one worked",
            hint="nothing of this run was written; run again, it goes on from the other's result",
        )


def _write(files: Files, table: FeatureTable | None, change: Change) -> None:
    if table is None or table.identity.misfit:
        _create(files, change, over=table)
        return
    stored = table.parquet_files()
    leaving = _leaving(files, stored, change)
    rewritten = _rewrite(files, leaving, run=change.run, without=change.replaced | change.gone)
    now = int(time.time() * 1000)
    removals = [RemoveAction(file.path, True, now, file.size, {}) for file in leaving]
    try:
        table.delta.create_write_transaction(
            [*removals, *map(_add, [*change.files, *rewritten])],
            mode="append",
            schema=table.delta.schema(),
            commit_properties=change.properties,
        )
    except DeltaError:
        delete_added(files, rewritten)
        raise


def _create(files: Files, change: Change, *, over: FeatureTable | None) -> None:
    """Create the table with the run's rows, or replace one of another layout or feature schema."""
    files.create_folder(TABLE)
    create_table_with_add_actions(
        uri(files),
        Schema.from_arrow(SCHEMA),
        [_add(file) for file in change.files],
        mode="error" if over is None else "overwrite",
        name=TABLE,
        description=Identity().encode(),
        storage_options=files.storage_options,
        commit_properties=change.properties,
    )


def _leaving(files: Files, stored: list[TableFile], change: Change) -> list[TableFile]:
    """Files with rows that go; also the small ones, once there are many."""
    dropped = change.replaced | change.gone
    small = {file.path for file in stored if file.rows < OWN_FILE_ROWS}
    if len(small) <= SMALL_FILES:
        small = set()
    return [file for file in stored if file.path in small or _holds(files, file, dropped)]


def _holds(files: Files, file: TableFile, repositories: Iterable[str]) -> bool:
    possible = [name for name in repositories if file.may_hold(name)]
    if not possible or file.first == file.last:
        return bool(possible)
    rows = _dataset(files, [file]).to_table(["repository"])
    return bool(pc.any(pc.is_in(rows["repository"], _names(possible))).as_py())


def _rewrite(
    files: Files, leaving: list[TableFile], *, run: int, without: frozenset[str]
) -> list[AddedFile]:
    """Write anew the rows of `leaving` that stay."""
    mixed = [file for file in leaving if not (file.first == file.last and file.first in without)]
    if not mixed:
        return []
    writer = FeatureWriter(files, run=run)
    try:
        stays = ~pc.field("repository").isin(_names(without))
        for rows in _dataset(files, mixed).to_batches(filter=stays):
            writer.write(rows)
        return writer.finish()
    except BaseException:
        writer.abort()
        raise


def _names(repositories: Iterable[str]) -> pa.Array:
    return pa.array(sorted(repositories), pa.string())


def _dataset(files: Files, parquet: list[TableFile]) -> ds.Dataset:
    paths = [f"{TABLE}/{file.path}" for file in parquet]
    return ds.dataset(paths, schema=SCHEMA, format="parquet", filesystem=files.filesystem)


def _add(file: AddedFile) -> AddAction:
    return AddAction(file.path, file.size, {}, file.modified_ms, True, file.statistics)


def _version(table: FeatureTable | None) -> int:
    return -1 if table is None else table.version
