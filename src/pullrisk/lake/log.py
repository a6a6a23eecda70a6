"""Delta's transaction log as readers need it: which files and transactions make one version.

delta-rs writes the log (commit.py). Reading takes JSON and Parquet alone, so that whoever only
reads the lake, as serving does, needs no delta-rs. The format: PROTOCOL.md of delta-io/delta,
reader version 1, with checkpoints of one file or of several.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec
import pyarrow.parquet as pq

from pullrisk.errors import LakeError
from pullrisk.lake.files import Files, translate_errors

_READER: Final = 1
"""The version of Delta's protocol for readers that this module knows."""
_COMMIT: Final = re.compile(r"(\d{20})\.json")
_CHECKPOINT: Final = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
_KINDS: Final = ("add", "remove", "txn", "metaData", "protocol")


class Added(msgspec.Struct, frozen=True):
    """A file of the table: its path below the table, bytes, and statistics as JSON."""

    path: str
    size: int
    stats: str | None = None


class _Removed(msgspec.Struct):
    path: str


class _Transaction(msgspec.Struct, rename={"app": "appId"}):
    app: str
    version: int


class _Metadata(msgspec.Struct):
    description: str | None = None


class _Protocol(msgspec.Struct, rename={"reader": "minReaderVersion"}):
    reader: int


class _Action(msgspec.Struct, rename={"metadata": "metaData"}):
    """One line of a commit, one row of a checkpoint: one of these, or something else."""

    add: Added | None = None
    remove: _Removed | None = None
    txn: _Transaction | None = None
    metadata: _Metadata | None = None
    protocol: _Protocol | None = None


class Snapshot:
    """A table's state at one version: files by path, versions of application transactions."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.description: str | None = None
        self.files: dict[str, Added] = {}
        self.transactions: dict[str, int] = {}
        self.reader = 0

    def apply(self, actions: Iterable[_Action]) -> None:
        """Move on by what one commit or one checkpoint says."""
        for action in actions:
            if action.add is not None:
                self.files[action.add.path] = action.add
            elif action.remove is not None:
                self.files.pop(action.remove.path, None)
            elif action.txn is not None:
                self.transactions[action.txn.app] = action.txn.version
            elif action.metadata is not None:
                self.description = action.metadata.description
            elif action.protocol is not None:
                self.reader = action.protocol.reader


def read(files: Files, folder: str, *, version: int | None = None) -> Snapshot | None:
    """The table in `folder` at its latest or a given version; None if there is no table.

    Raises LakeError if the log is damaged, lacks the version, or needs a newer reader.
    """
    commits, checkpoints = _listed(files, f"{folder}/_delta_log")
    if not commits and not checkpoints:
        return None
    last = max([*commits, *checkpoints]) if version is None else version
    start = max((number for number in checkpoints if number <= last), default=-1)
    snapshot = Snapshot(last)
    for path in checkpoints.get(start, ()):
        snapshot.apply(_checkpoint(files, path))
    for number in range(start + 1, last + 1):
        if number not in commits:
            raise _damaged(files, f"version {number} is missing")
        snapshot.apply(_commit(files, commits[number]))
    if snapshot.reader > _READER:
        raise LakeError(
            f"lake {files.root}: its table needs a reader of Delta version {snapshot.reader}",
            hint="another program changed the table; run `pullrisk preprocess` on a new lake",
        )
    return snapshot


def _listed(files: Files, folder: str) -> tuple[dict[int, str], dict[int, list[str]]]:
    """Commits and whole checkpoints by their version."""
    commits: dict[int, str] = {}
    parts: dict[tuple[int, int], list[str]] = {}
    for file in files.list(folder):
        name = file.path.rpartition("/")[2]
        if match := _COMMIT.fullmatch(name):
            commits[int(match[1])] = file.path
        elif match := _CHECKPOINT.fullmatch(name):
            parts.setdefault((int(match[1]), int(match[3] or 1)), []).append(file.path)
    complete = {number: paths for (number, count), paths in parts.items() if len(paths) == count}
    return commits, complete


def _commit(files: Files, path: str) -> list[_Action]:
    """The commit's actions; read again if it makes no sense, which may be a bad answer of S3's.

    A service that says a wrong length has been seen: what is read then ends in rubbish.
    """
    try:
        return _decode(files, path)
    except (ValueError, RecursionError):
        pass
    try:
        return _decode(files, path)
    except (ValueError, RecursionError) as error:
        raise _damaged(files, f"{path} cannot be read: {error}") from error


def _decode(files: Files, path: str) -> list[_Action]:
    return msgspec.json.Decoder(_Action).decode_lines(files.read(path))


def _checkpoint(files: Files, path: str) -> Iterator[_Action]:
    with translate_errors(files.root):
        source = pq.ParquetFile(files.filesystem.open_input_file(path))
        present = [name for name in _KINDS if name in source.schema_arrow.names]
        for batch in source.iter_batches(columns=present):
            for row in batch.to_pylist():
                yield _action(row)


def _action(row: Mapping[str, Any]) -> _Action:
    fields = {name: value for name, value in row.items() if value is not None}
    return msgspec.convert(fields, _Action)


def _damaged(files: Files, why: str) -> LakeError:
    return LakeError(
        f"lake {files.root}: the Delta log is damaged: {why}",
        hint="restore the lake from a backup, or run `pullrisk preprocess` on a new one",
    )
