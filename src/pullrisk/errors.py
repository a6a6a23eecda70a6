"""Every error that pullrisk raises on purpose, and the exit code of each kind.

    PullriskError            1
    ├── SettingsError        3   a setting is unknown, missing or out of range
    ├── InputError           4   input (file, line, pull request, repository) cannot be read
    ├── StoreError           5   the pull store refused: full disk, newer version, unreachable
    ├── LakeError            6   the lake refused, likewise
    ├── ModelError           7   no model, a corrupt one, or one of another feature schema
    ├── NotEnoughDataError   8   the command is right, the data does not suffice yet
    ├── MissingExtraError    9   an optional dependency is not installed
    └── SecretsError        10   Vault is away or refuses, or a secret is missing

Exit code 2 is a wrong command line (as everywhere), 130 an interruption by Ctrl-C.
A message says what happened, to which thing, and what to do next; it never holds a secret.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system calls a disk, a quota or a largest file that is full."""


def is_full(error: BaseException) -> bool:
    """Whether there was no space left to write something."""
    return isinstance(error, OSError) and error.errno in FULL


class PullriskError(Exception):
    """Base of the tree: a message for a person, a hint of what to do, an exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\n  {self.hint}" if self.hint else message


class SettingsError(PullriskError):
    """A setting is unknown, missing or not among its possible values."""

    exit_code = 3


class InputError(PullriskError):
    """Input cannot be read; names the file and line, or the thing."""

    exit_code = 4


class StoreError(PullriskError):
    """The pull store cannot be opened, read or written."""

    exit_code = 5


class LakeError(PullriskError):
    """The lake cannot be opened, read or written."""

    exit_code = 6


class ModelError(PullriskError):
    """A model is missing, corrupt, or made for another feature schema."""

    exit_code = 7


class NotEnoughDataError(PullriskError):
    """There is too little data for what was asked."""

    exit_code = 8


class MissingExtraError(PullriskError):
    """An optional dependency is not installed; names the extra that brings it."""

    exit_code = 9

    @classmethod
    def of(cls, library: str, extra: str) -> "MissingExtraError":
        """The error for `library`, or a module of it, which the extra `extra` installs."""
        library = library.partition(".")[0]
        return cls(f"{library} is not installed", hint=f"run: pip install 'pullrisk[{extra}]'")


@contextmanager
def needs_extra(extra: str, *, library: str | None = None) -> Iterator[None]:
    """Around an optional dependency's import: raises MissingExtraError if it is not installed.

    `library` is what people call it if its module has another name.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError.of(library or error.name or "a library", extra) from error


class SecretsError(PullriskError):
    """Vault cannot be reached or refuses, or a secret is missing; never holds a value."""

    exit_code = 10
