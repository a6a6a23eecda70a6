"""Errors of delivery, and the exit code of each kind.

    DeliveryError       1
    ├── RefusedError    3   a guard refuses what was asked
    ├── InputError      4   a file, a branch or an answer is malformed or missing
    └── AwayError       5   a registry, Sigstore or a remote cannot be reached; try again

Exit code 2 is a wrong command line.
"""

from typing import ClassVar


class DeliveryError(Exception):
    """Base of the tree: a message for a person, a hint of what to do, an exit code."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = str(self.args[0])
        return f"{message}\n  {self.hint}" if self.hint else message


class RefusedError(DeliveryError):
    """A guard refuses what was asked."""

    exit_code = 3


class InputError(DeliveryError):
    """A file, a branch or an answer is malformed or missing."""

    exit_code = 4


class AwayError(DeliveryError):
    """A registry, Sigstore or a remote cannot be reached now."""

    exit_code = 5
