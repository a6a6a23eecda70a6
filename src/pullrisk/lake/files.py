"""Every access of the lake to a file goes through here, in the terms of pyarrow.fs."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, SubTreeFileSystem

from pullrisk.atomic import make_folder
from pullrisk.errors import LakeError, SettingsError
from pullrisk.lake.s3 import SCHEME, bucket_of, check_bucket, open_bucket, s3_error, storage_options
from pullrisk.options import S3

_UNFINDABLE: Final = re.compile(r"%[0-9A-Fa-f]{2}|\\|[\x00-\x1f\x7f]")


class StoredFile(msgspec.Struct, frozen=True):
    """A file of the lake: path below the lake's root, bytes, when it was written."""

    path: str
    size: int
    modified_at: datetime


class Files:
    """The files below `root`, a folder or `s3://bucket/prefix`. Picklable; raises LakeError."""

    def __init__(self, root: str, s3: S3 | None = None) -> None:
        self.root, self.s3 = root, s3
        filesystem = LocalFileSystem() if s3 is None else open_bucket(s3)
        self.filesystem: FileSystem = SubTreeFileSystem(root.removeprefix(SCHEME), filesystem)

    def __reduce__(self) -> tuple[type["Files"], tuple[str, S3 | None]]:
        return Files, (self.root, self.s3)

    @property
    def storage_options(self) -> dict[str, str] | None:
        """How delta-rs reaches the same files; None for a folder."""
        return None if self.s3 is None else storage_options(self.s3)

    def check(self) -> None:
        """Find out at once, without retries, whether the files can be reached; LakeError."""
        if self.s3 is not None:
            check_bucket(self.s3, self.root)

    def read(self, path: str) -> bytes:
        """The whole file; LakeError if it is missing."""
        with translate_errors(self.root), self.filesystem.open_input_stream(path) as stream:
            content: bytes = stream.read()
        return content

    def write(self, path: str, content: bytes) -> None:
        """Write a file, creating its folder; deletes what it wrote if it fails."""
        with translate_errors(self.root):
            try:
                with self.create(path) as stream:
                    stream.write(content)
            except BaseException:
                self.discard(path)
                raise

    def create(self, path: str) -> Any:  # noqa: ANN401  # pyarrow.NativeFile
        """A stream that writes a new file; its folder is created. The caller closes it."""
        with translate_errors(self.root):
            self.create_folder(path.rpartition("/")[0])
            return self.filesystem.open_output_stream(path)

    def create_folder(self, path: str) -> None:
        """Create a folder with those above it; S3 has none."""
        if self.s3 is None:
            make_folder(Path(self.root))
            self.filesystem.create_dir(path, recursive=True)

    def delete(self, path: str) -> None:
        """Delete a file where it exists."""
        with translate_errors(self.root):
            if self.filesystem.get_file_info(path).type == FileType.File:
                self.filesystem.delete_file(path)

    def discard(self, path: str) -> None:
        """Delete what a failed write left, at one try: what stays is left to vacuum."""
        filesystem = LocalFileSystem() if self.s3 is None else open_bucket(self.s3, attempts=1)
        with suppress(OSError, ArrowException):
            SubTreeFileSystem(self.root.removeprefix(SCHEME), filesystem).delete_file(path)

    def list(self, folder: str) -> list[StoredFile]:
        """Every file below a folder, with the folders below it; empty if there is none."""
        selector = FileSelector(folder, recursive=True, allow_not_found=True)
        with translate_errors(self.root):
            try:
                entries = self.filesystem.get_file_info(selector)
            except FileNotFoundError:  # the folder was made between Arrow's two looks at it
                entries = self.filesystem.get_file_info(selector)
            return [
                StoredFile(info.path, info.size, info.mtime.astimezone(UTC))
                for info in entries
                if info.type == FileType.File
            ]


def open_files(uri: str | Path, s3: S3 | None = None) -> Files:
    """The files of the lake at `uri`; SettingsError if it is no folder and no bucket."""
    place = str(uri)
    if place.startswith(SCHEME):
        bucket_of(place)
        return Files(place.rstrip("/"), s3 or S3())
    if "://" in place and not place.startswith("file://"):
        raise SettingsError(
            f"lake {place}: only a folder or s3:// is supported",
            hint="set PULLRISK_LAKE to a folder's path or s3://BUCKET/PREFIX",
        )
    return Files(str(Path(place.removeprefix("file://")).absolute()))


def check_folder(root: str) -> None:
    """Refuse a folder that delta-rs would write into and not find again; raises LakeError.

    Wherever a table is opened, it takes %XX for an encoded character and a backslash for a slash,
    however the path is handed over.
    """
    wrong = _UNFINDABLE.search(os.path.realpath(root))
    if wrong is not None:
        raise LakeError(
            f"lake {root}: its path holds {wrong[0]!r}, with which Delta tables cannot be opened",
            hint="set PULLRISK_LAKE to a folder whose path holds none; the rest of the home "
            "folder may stay",
        )


@contextmanager
def translate_errors(root: str) -> Iterator[None]:
    """Turn errors of files, Arrow and Delta into LakeErrors that name the lake."""
    try:
        yield
    except _faults() as error:
        raise _lake_error(root, error) from error


def _faults() -> tuple[type[Exception], ...]:
    # delta-rs raises nothing where it was not imported: whoever only reads does without.
    delta = sys.modules.get("deltalake.exceptions")
    return (OSError, ArrowException, *((delta.DeltaError,) if delta else ()))


def _lake_error(root: str, error: Exception) -> LakeError:
    if root.startswith(SCHEME) and (known := s3_error(root, str(error))) is not None:
        return known
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
