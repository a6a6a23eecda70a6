"""The line history of a branch between two runs: one file in a folder, named by its commit.

A file is saved before the store's checkpoint names its commit, and the one of the checkpoint
before is deleted after that. So whenever a run is killed, the checkpoint has its file.
"""

import zlib
from array import array
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

import msgspec

from pullrisk import atomic
from pullrisk.fetch.git.line_history import LineHistory

_SUFFIX: Final = ".lines"
_FORM: Final = b"pullrisk lines 1\n"
_DIGEST: Final = 16
_LEVEL: Final = 3
_MOST_FILE_BYTES: Final = 200_000_000
_MOST_BYTES: Final = 2_000_000_000
"""Unpacked; a line has four bytes."""


class DamagedLinesError(Exception):
    """The saved lines cannot be read."""


class _State(msgspec.Struct, frozen=True, array_like=True):
    commit: str
    numbers: bytes
    files: dict[str, bytes]


class SavedLines:
    """The folder of one branch of one repository; nobody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, commit: str) -> LineHistory | None:
        """The lines at the commit, None if they were not saved. Raises DamagedLinesError."""
        path = self._path(commit)
        try:
            if path.stat().st_size > _MOST_FILE_BYTES:
                raise DamagedLinesError(f"{path} is too large")
            return _decoded(path.read_bytes(), commit)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zlib.error) as error:
            raise DamagedLinesError(f"{path} cannot be read: {error}") from error

    def save(self, lines: LineHistory, commit: str) -> None:
        """Write the lines at the commit. Raises OSError."""
        atomic.replace(self._path(commit), encode_lines(lines, commit))

    def keep_only(self, commit: str) -> None:
        """Delete what was saved of other commits."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            if path != self._path(commit):
                with suppress(OSError):
                    path.unlink()

    def _path(self, commit: str) -> Path:
        return self.folder / f"{commit}{_SUFFIX}"


def encode_lines(lines: LineHistory, commit: str) -> bytes:
    """The lines at a commit as they are saved."""
    files = {path: entries.tobytes() for path, entries in lines.files.items()}
    state = msgspec.msgpack.encode(_State(commit, lines.numbers.tobytes(), files))
    packed = zlib.compress(state, _LEVEL)
    return b"".join((_FORM, blake2b(packed, digest_size=_DIGEST).digest(), packed))


def _decoded(data: bytes, commit: str) -> LineHistory:
    """Raises ValueError or zlib.error for what is not as it was written."""
    start = len(_FORM) + _DIGEST
    packed = data[start:]
    digest = blake2b(packed, digest_size=_DIGEST).digest()
    if data[:start] != _FORM + digest:
        raise ValueError("it is damaged")
    unpacker = zlib.decompressobj()
    state = msgspec.msgpack.decode(unpacker.decompress(packed, _MOST_BYTES), type=_State)
    if state.commit != commit:
        raise ValueError(f"it is of commit {state.commit}")
    files = {path: array("I", entries) for path, entries in state.files.items()}
    return LineHistory(array("q", state.numbers), files)
