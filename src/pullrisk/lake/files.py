"""Every access of the lake to a file goes through here, in the terms of pyarrow.fs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from deltalake.exceptions import DeltaError
from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, SubTreeFileSystem

from pullrisk.errors import LakeError, SettingsError


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the lake: path below the lake's root, bytes, when it was written."""

    path: str
    size: int
    modified_at: datetime


class Files:
    """The files below `root`, a folder. Picklable; raises LakeError."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.filesystem: FileSystem = SubTreeFileSystem(root, LocalFileSystem())

    def __reduce__(self) -> tuple[type["Files"], tuple[str]]:
        return Files, (self.root,)

    def read(self, path: str) -> bytes:
        """The whole file; LakeError where it is missing."""
        with explained(self.root), self.filesystem.open_input_stream(path) as stream:
            content: bytes = stream.read()
        return content

    def write(self, path: str, content: bytes) -> None:
        """Write a file, creating its folder; deletes what it wrote where it fails."""
        with explained(self.root):
            try:
                with self.create(path) as stream:
                    stream.write(content)
            except BaseException:
                self.delete(path)
                raise

    def create(self, path: str) -> Any:  # noqa: ANN401  # pyarrow.NativeFile
        """A stream that writes a new file; its folder is created. The caller closes it."""
        with explained(self.root):
            self.filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            return self.filesystem.open_output_stream(path)

    def delete(self, path: str) -> None:
        """Delete a file where it exists."""
        with explained(self.root):
            if self.filesystem.get_file_info(path).type == FileType.File:
                self.filesystem.delete_file(path)

    def list(self, folder: str) -> list[StoredFile]:
        """Every file below a folder, with the folders below it; empty where there is none."""
        selector = FileSelector(folder, recursive=True, allow_not_found=True)
        with explained(self.root):
            return [
                StoredFile(info.path, info.size, info.mtime.astimezone(UTC))
                for info in self.filesystem.get_file_info(selector)
                if info.type == FileType.File
            ]


def open_files(uri: str | Path) -> Files:
    """The files of the lake at `uri`; SettingsError where it is no folder's path."""
    if "://" in str(uri) and not str(uri).startswith("file://"):
        raise SettingsError(
            f"lake {uri}: only a folder is supported", hint="set PULLRISK_LAKE to a folder's path"
        )
    return Files(str(Path(str(uri).removeprefix("file://")).absolute()))


@contextmanager
def explained(root: str) -> Iterator[None]:
    """Turn errors of files, Arrow and Delta into LakeErrors that name the lake."""
    try:
        yield
    except (OSError, ArrowException, DeltaError) as error:
        raise _lake_error(root, error) from error


def _lake_error(root: str, error: Exception) -> LakeError:
    text = str(error).split("\n", maxsplit=1)[0]
    if any(sign in text for sign in ("No space left", "File too large", "quota")):
        return LakeError(
            f"lake {root}: the disk is full ({text})",
            hint="free some space and run the command again; nothing was half written",
        )
    if isinstance(error, PermissionError) or "Permission denied" in text:
        return LakeError(
            f"lake {root}: permission denied ({text})", hint="check the folder's owner and mode"
        )
    return LakeError(f"lake {root}: {text}", hint="check the folder; run `pullrisk preprocess`")
