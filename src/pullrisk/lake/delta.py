"""What the lake asks of its Delta table: which files, which rows, which run is current."""

from typing import Final

import msgspec
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from pullrisk.lake.files import Files, explained
from pullrisk.lake.schema import TABLE, Identity

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
    """The Delta table at one version. Raises LakeError where a newer pullrisk wrote it."""

    def __init__(self, files: Files, delta: DeltaTable) -> None:
        self.files = files
        self.delta = delta
        self.identity = Identity.read(delta.metadata().description, root=files.root)

    @classmethod
    def open(cls, files: Files, *, version: int | None = None) -> "FeatureTable | None":
        """The table's latest or a given version; None where there is no table."""
        with explained(files.root):
            try:
                delta = DeltaTable(uri(files), version, files.storage_options)
                return cls(files, delta)
            except TableNotFoundError:
                return None

    @property
    def version(self) -> int:
        """Number of the commit that made this state."""
        return int(self.delta.version())

    def current_run(self, repository: str) -> int | None:
        """The run whose history of the repository is current, or None."""
        return self.delta.transaction_version(app_id(repository)) or None

    def parquet_files(self) -> list[TableFile]:
        """The files of this version, from Delta's log alone."""
        with explained(self.files.root):
            actions = pa.table(self.delta.get_add_actions(flatten=True))
        if not actions.num_rows:
            return []
        names = ("path", "size_bytes", "num_records", "min.repository", "max.repository")
        columns = (actions.column(name).to_pylist() for name in names)
        return [TableFile(*row) for row in zip(*columns, strict=True)]


def uri(files: Files) -> str:
    """Where delta-rs finds the table."""
    return f"{files.root}/{TABLE}"


def app_id(repository: str) -> str:
    """The Delta application whose transaction names the repository's current run."""
    return f"history:{repository}"
