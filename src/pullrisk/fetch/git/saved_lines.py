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
from pullrisk.fetch.git.line_fold import MOST_TIPS, BranchState
from pullrisk.fetch.git.line_history import LineHistory

_SUFFIX: Final = ".lines"
_FORM: Final = b"pullrisk lines 2\n"
_DIGEST: Final = 16
_LEVEL: Final = 1
_MOST_FILE_BYTES: Final = 200_000_000
_MOST_BYTES: Final = 2_000_000_000
"""Unpacked; a line has four bytes."""


class DamagedLinesError(Exception):
    """The saved lines cannot be read."""


class _State(msgspec.Struct, frozen=True, array_like=True):
    """`sides` have what differs from `files`: None for a file that is not there."""

    commit: str
    numbers: bytes
    files: dict[str, bytes]
    sides: dict[str, dict[str, bytes | None]]


class SavedLines:
    """The folder of one branch of one repository; nobody else's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def load(self, commit: str) -> BranchState | None:
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

    def save(self, state: BranchState, commit: str) -> None:
        """Write the lines at the commit. Raises OSError."""
        atomic.replace(self._path(commit), encode_lines(state, commit))

    def keep_only(self, commit: str) -> None:
        """Delete what was saved of other commits."""
        for path in self.folder.glob(f"*{_SUFFIX}"):
            if path != self._path(commit):
                with suppress(OSError):
                    path.unlink()

    def _path(self, commit: str) -> Path:
        return self.folder / f"{commit}{_SUFFIX}"


def encode_lines(state: BranchState, commit: str) -> bytes:
    """The lines at a commit as they are saved, with the newest MOST_TIPS of those beside it."""
    line = state.line
    files = {path: entries.tobytes() for path, entries in line.files.items()}
    newest = list(state.sides.items())[-MOST_TIPS:]
    sides = {sha: _difference(line, side) for sha, side in newest}
    data = msgspec.msgpack.encode(_State(commit, line.numbers.tobytes(), files, sides))
    packed = zlib.compress(data, _LEVEL)
    return b"".join((_FORM, blake2b(packed, digest_size=_DIGEST).digest(), packed))


def _difference(line: LineHistory, side: LineHistory) -> dict[str, bytes | None]:
    gone = line.files.keys() - side.files.keys()
    others = {path: lines for path, lines in side.files.items() if lines != line.files.get(path)}
    return dict.fromkeys(sorted(gone)) | {path: other.tobytes() for path, other in others.items()}


def _decoded(data: bytes, commit: str) -> BranchState:
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
    numbers = array("q", state.numbers)
    files = {path: array("I", entries) for path, entries in state.files.items()}
    sides = {}
    for sha, others in state.sides.items():
        changed = {path: array("I", lines) for path, lines in others.items() if lines is not None}
        unchanged = {path: lines for path, lines in files.items() if path not in others}
        sides[sha] = LineHistory(numbers, unchanged | changed)
    return BranchState(LineHistory(numbers, files), sides)
