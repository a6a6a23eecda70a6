"""Check the repository names that users give."""

from pullrisk.errors import InputError
from pullrisk.pulls.record import repository_name


def checked_name(name: str) -> str:
    """The name, if it has the form `owner/name`. Raises InputError."""
    try:
        return repository_name(name)
    except ValueError as error:
        raise InputError(
            f"{name!r} is no repository name", hint="expected owner/name, as on GitHub"
        ) from error
