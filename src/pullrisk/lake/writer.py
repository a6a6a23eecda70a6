"""Streams blocks of rows into Parquet files, with the statistics that let readers skip them."""

import time
from contextlib import suppress
from typing import Any, Final
from uuid import uuid4

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pullrisk.errors import LakeError
from pullrisk.lake.files import Files, StoredFile, translate_errors
from pullrisk.lake.schema import KEYS, SCHEMA, TABLE

GROUP_ROWS: Final = 32_768
"""Rows gathered in memory and written as one row group."""
OWN_FILE_ROWS: Final = 4_096
"""A file with this many rows takes no further repository: rebuilding one rewrites few others."""
FILE_ROWS: Final = 262_144
"""Rows after which a file is full."""
_STATISTICS: Final = ("repository", "number", "merged_at")


class AddedFile(msgspec.Struct, frozen=True):
    """A Parquet file that waits for its commit: what Delta's log will say of it."""

    path: str
    size: int
    rows: int
    modified_ms: int
    statistics: str


class FeatureWriter:
    """Writes rows into files named by run and uuid; invisible until a commit adds them.

    `finish` gives the files, `abort` deletes them. Raises LakeError.
    """

    def __init__(self, files: Files, *, run: int) -> None:
        self._files = files
        self._run = run
        self._added: list[AddedFile] = []
        self._open: _OpenFile | None = None

    def start_repository(self) -> None:
        """Tell that the next rows are another repository's."""
        if self._open is not None and self._open.rows >= OWN_FILE_ROWS:
            self._close()

    def write(self, rows: pa.RecordBatch) -> None:
        """Append rows in the columns of SCHEMA."""
        if self._open is not None and self._open.rows >= FILE_ROWS:
            self._close()
        if not rows.num_rows:
            return
        if self._open is None:
            self._open = _OpenFile(self._files, f"{_prefix(self._run)}{uuid4()}.parquet")
        self._open.write(rows)

    def finish(self) -> list[AddedFile]:
        """Close the last file and give all of them."""
        self._close()
        return self._added

    def abort(self) -> None:
        """Delete everything written."""
        if self._open is not None:
            self._open.abandon()
            self._open = None
        delete_added(self._files, self._added)

    def _close(self) -> None:
        if self._open is not None:
            self._added.append(self._open.close())
            self._open = None


def delete_added(files: Files, added: list[AddedFile]) -> None:
    """Delete files that will not be committed; what cannot be deleted is left to vacuum."""
    for file in added:
        files.discard(f"{TABLE}/{file.path}")


def delete_run(files: Files, run: int) -> None:
    """Delete every file of a run that was not committed, whichever process wrote it."""
    for file in run_files(files, run):
        files.delete(file.path)


def run_files(files: Files, run: int) -> list[StoredFile]:
    """Every Parquet file that a run's processes wrote, committed or not."""
    return [file for file in files.list(TABLE) if file.path.startswith(f"{TABLE}/{_prefix(run)}")]


def _prefix(run: int) -> str:
    return f"run-{run}-"


class _OpenFile:
    def __init__(self, files: Files, name: str) -> None:
        self.rows = 0
        self._files, self._name = files, name
        self._path = f"{TABLE}/{name}"
        self._statistics = _Statistics()
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._stream = files.create(self._path)
        self._parquet = pq.ParquetWriter(
            self._stream,
            SCHEMA,
            compression="zstd",
            # Dictionaries of floats cost four times the time.
            use_dictionary=[*KEYS, "paths.list.element", "run"],
            write_statistics=list(_STATISTICS),
        )

    def write(self, rows: pa.RecordBatch) -> None:
        self.rows += rows.num_rows
        self._statistics.see(rows)
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= GROUP_ROWS:
            self._write_group()

    def close(self) -> AddedFile:
        try:
            with translate_errors(self._files.root):
                self._write_group()
                self._parquet.close()
                size = self._stream.tell()
                self._stream.close()
        except BaseException:
            self.abandon()
            raise
        return AddedFile(
            self._name, size, self.rows, int(time.time() * 1000), self._statistics.encode(self.rows)
        )

    def abandon(self) -> None:
        for close in (self._parquet.close, self._stream.close):
            with suppress(LakeError, OSError, pa.ArrowException):
                close()
        self._files.discard(self._path)

    def _write_group(self) -> None:
        if self._waiting:
            with translate_errors(self._files.root):
                self._parquet.write_table(pa.Table.from_batches(self._waiting, SCHEMA), GROUP_ROWS)
            self._waiting, self._waiting_rows = [], 0


class _Statistics:
    """Least, greatest and number of nulls of the columns that readers filter by."""

    def __init__(self) -> None:
        self._least: dict[str, Any] = {}
        self._greatest: dict[str, Any] = {}

    def see(self, rows: pa.RecordBatch) -> None:
        for name in _STATISTICS:
            bounds = pc.min_max(rows.column(name)).as_py()
            self._least[name] = min(self._least.get(name, bounds["min"]), bounds["min"])
            self._greatest[name] = max(self._greatest.get(name, bounds["max"]), bounds["max"])

    def encode(self, rows: int) -> str:
        return msgspec.json.encode(
            {
                "numRecords": rows,
                "minValues": self._least,
                "maxValues": self._greatest,
                "nullCount": dict.fromkeys(_STATISTICS, 0),
            }
        ).decode()
