"""Files that are replaced at once, so that no reader and no crash ever sees half of one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

PRIVATE_FOLDER: Final = 0o700
"""Mode of the folders that pullrisk makes: titles and names in them are not everybody's."""


def replace(path: Path, data: bytes) -> None:
    """Write the file, its folder too; raises OSError, and then leaves what was there before."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A draft to write to, which takes the file's place at the end; not after an exception.

    The draft is a new file beside it, so that no link that somebody has laid out is followed.
    """
    make_folder(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(draft, "xb", opener=_open_new) as file:  # Path's has no opener
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        with suppress(OSError):  # where the draft could not be made, there is none
            draft.unlink(missing_ok=True)
        raise


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can read, with those above it; one that exists stays."""
    for each in reversed([path, *path.parents]):
        if not each.exists():
            each.mkdir(PRIVATE_FOLDER, exist_ok=True)
    path.mkdir(exist_ok=True)  # raises if it is no folder


def _open_new(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)  # Windows has none
