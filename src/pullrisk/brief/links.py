"""Addresses on GitHub of what a brief names; None for a repository that has no name there.

They are those of github.com. `at_site` moves them to the server of GitHub Enterprise.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from pullrisk.score.result import GITHUB

T = TypeVar("T", bound=msgspec.Struct)
_ADDRESSES: Final = ("url", "by_url")
LOCAL: Final = "local/"
"""How the name of a clone begins that has no name on GitHub."""


def pull_url(repository: str, number: int) -> str | None:
    """The page of a pull request; None for a direct push, whose number is below 0."""
    if repository.startswith(LOCAL) or number <= 0:
        return None
    return f"{GITHUB}/{repository}/pull/{number}"


def changed_file_url(
    repository: str, number: int, path: str, *, first: int | None = None, last: int | None = None
) -> str | None:
    """A file in a pull's list of changes, at lines `first` to `last` of the new side if given."""
    page = pull_url(repository, number)
    if page is None:
        return None
    anchor = f"#diff-{sha256(path.encode(errors='surrogateescape')).hexdigest()}"
    lines = (
        "" if first is None else f"R{first}" + (f"-R{last}" if last not in (None, first) else "")
    )
    return f"{page}/files{anchor}{lines}"


def file_url(repository: str, path: str) -> str | None:
    """A file, or a directory (with a slash at its end), on the default branch."""
    if repository.startswith(LOCAL):
        return None
    kind = "tree" if path.endswith("/") else "blob"
    return f"{GITHUB}/{repository}/{kind}/HEAD/{quote(path.rstrip('/'), errors='surrogatepass')}"


def person_url(repository: str, login: str) -> str | None:
    """A person's page, by login."""
    return None if repository.startswith(LOCAL) else f"{GITHUB}/{quote(login)}"


def at_site(part: T, site: str) -> T:
    """A part of a brief, or all of it, with its addresses below `site`."""
    if site == GITHUB:
        return part
    return readdressed(part, lambda url: site + url.removeprefix(GITHUB))


def readdressed(part: T, change: Callable[[str], str | None]) -> T:
    """A part of a brief, or all of it, with each of its addresses changed."""
    return msgspec.convert(_changed(msgspec.to_builtins(part), change), type(part))


def _changed(value: Any, change: Callable[[str], str | None]) -> Any:  # noqa: ANN401  (any JSON)
    if isinstance(value, list | tuple):
        return [_changed(each, change) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: change(each) if key in _ADDRESSES and isinstance(each, str) else _changed(each, change)
        for key, each in value.items()
    }
