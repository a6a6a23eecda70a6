"""Repository names that a person gives."""

from pullrisk.errors import InputError
from pullrisk.pulls.record import repository_name


def checked_name(name: str) -> str:
    """`owner/name`, or InputError."""
    try:
        return repository_name(name)
    except ValueError as error:
        raise InputError(
            f"{name!r} is no repository name", hint="expected owner/name, as on GitHub"
        ) from error
