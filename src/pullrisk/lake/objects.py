"""Histories, and which pulls each has consumed: sealed objects for each repository and run.

Sealed means compressed (zstd) under a digest, so that damage is found when it is read.
"""

from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import Final, Literal
from urllib.parse import quote, unquote

import pyarrow as pa

from pullrisk.errors import LakeError
from pullrisk.lake.files import Files, StoredFile
from pullrisk.pulls.consumed import ConsumedPulls

FOLDER: Final = "histories"
_MAGIC: Final = b"PRO1"
_DIGEST: Final = 16
_LENGTH: Final = 8
_LISTED_ONE_BY_ONE: Final = 100
"""Of more repositories than this the whole folder is listed: a request may name 1,000 files."""

Kind = Literal["history", "ledger"]
"""How the names of the files end; a ledger is what `ConsumedPulls` writes."""
_KINDS: Final[tuple[Kind, ...]] = ("history", "ledger")


class DamagedObjectError(LakeError):
    """An object is missing or is not what was written; the next run rebuilds the repository."""


class Objects:
    """The objects in the lake's files; picklable, for worker processes."""

    def __init__(self, files: Files) -> None:
        self.files = files

    def write(self, repository: str, *, run: int, history: bytes, consumed: ConsumedPulls) -> None:
        """Write both objects of one run; they become current when the run is committed."""
        self.files.write(path(repository, run, "history"), _seal(history))
        self.files.write(path(repository, run, "ledger"), _seal(consumed.encode()))

    def history(self, repository: str, run: int) -> bytes:
        """The saved history of one run; raises DamagedObjectError."""
        return self._read(repository, run, "history")

    def consumed(self, repository: str, run: int) -> ConsumedPulls:
        """What the history of one run has consumed; raises DamagedObjectError."""
        content = self._read(repository, run, "ledger")
        try:
            return ConsumedPulls.decode(content)
        except ValueError as error:
            raise _damaged(self.files.root, path(repository, run, "ledger"), error) from error

    def delete(self, repository: str, run: int) -> None:
        """Delete both objects of a run that will not be committed."""
        self.files.delete(path(repository, run, "history"))
        self.files.delete(path(repository, run, "ledger"))

    def stored(self, repositories: Collection[str] | None = None) -> Iterator[StoredFile]:
        """Every object of these repositories, or of all: of current, earlier and failed runs."""
        if repositories is not None and len(repositories) <= _LISTED_ONE_BY_ONE:
            for name in repositories:
                yield from self.files.list(_folder(name))
            return
        for file in self.files.list(FOLDER):
            if repositories is None or repository_of(file.path) in repositories:
                yield file

    def _read(self, repository: str, run: int, kind: Kind) -> bytes:
        where = path(repository, run, kind)
        try:
            return _unseal(self.files.read(where))
        except (LakeError, ValueError) as error:
            raise _damaged(self.files.root, where, error) from error


def path(repository: str, run: int, kind: Kind) -> str:
    """Where an object is, below the lake's root."""
    return f"{_folder(repository)}/{run}.{kind}"


def repository_of(path: str) -> str:
    """The repository whose object this is."""
    owner, _, name = path.split("/")[1].partition("__")
    return f"{unquote(owner)}/{unquote(name)}"


def run_of(path: str) -> int:
    """The run that wrote this object; 0 for a file that is none."""
    run, _, kind = path.rpartition("/")[2].partition(".")
    return int(run) if run.isdigit() and kind in _KINDS else 0


def _folder(repository: str) -> str:
    owner, _, name = repository.partition("/")
    # No underscore in the owner's part, so that `repository_of` finds where it ends.
    owner = quote(owner, safe="").replace("_", "%5F")
    return f"{FOLDER}/{owner}__{quote(name, safe='')}"


def _seal(content: bytes) -> bytes:
    packed: bytes = _codec().compress(content, asbytes=True)
    body = len(content).to_bytes(_LENGTH, "little") + packed
    return _MAGIC + blake2b(body, digest_size=_DIGEST).digest() + body


def _unseal(sealed: bytes) -> bytes:
    start = len(_MAGIC) + _DIGEST
    body = sealed[start:]
    if sealed[:start] != _MAGIC + blake2b(body, digest_size=_DIGEST).digest():
        raise ValueError("its content is not what was written")
    length = int.from_bytes(body[:_LENGTH], "little")
    content: bytes = _codec().decompress(body[_LENGTH:], length, asbytes=True)
    return content


def _codec() -> pa.Codec:
    return pa.Codec("zstd", compression_level=1)


def _damaged(root: str, where: str, error: Exception) -> DamagedObjectError:
    return DamagedObjectError(
        f"lake {root}: {where} cannot be used: {error.args[0] if error.args else error}",
        hint="run `pullrisk preprocess`: it rebuilds this repository",
    )
