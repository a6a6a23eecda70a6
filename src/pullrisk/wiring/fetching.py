"""The stage data-fetch on a session: pull requests from GitHub, files or a clone into its store."""

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pullrisk.errors import InputError, MissingExtraError
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.fetch.github.fetch import GitHubReport
    from pullrisk.fetch.report import FetchReport
    from pullrisk.pulls.record import Pull


def fetch_github(
    session: Session,
    repositories: Sequence[str],
    *,
    organisation: str | None = None,
    search: str | None = None,
    limit: int | None = None,
    concurrency: int = 4,
) -> "GitHubReport":
    """Fetch the named repositories, those of an organisation, or those that a search finds.

    The report names repositories that failed; the others are up to date then. Raises
    MissingExtraError without the extra `github`, SettingsError without credentials.
    """
    from pullrisk.wiring.adapters import github_access

    try:
        from pullrisk.fetch.github.fetch import Request
        from pullrisk.fetch.github.fetch import fetch_github as fetch
    except ImportError as error:
        raise MissingExtraError.of(error.name or "httpx", "github") from None
    request = Request(
        repositories=tuple(repositories),
        organisation=organisation,
        search=search,
        limit=limit,
        concurrency=concurrency,
    )
    return fetch(
        request,
        session.store,
        access=github_access(session.settings),
        progress=session.progress,
        rotating=session.rotating(github_access),
    )


def fetch_files(
    session: Session, files: list[str], *, repository: str | None = None, skip: bool = False
) -> "FetchReport":
    """Read files of REST objects; `skip` goes on after a line that cannot be read."""
    from pullrisk.fetch.files import fetch_files as fetch

    return fetch(
        files,
        session.store,
        progress=session.progress,
        on_error="skip" if skip else "stop",
        repository=repository,
    )


def fetch_git(
    session: Session,
    path: Path,
    *,
    repository: str | None = None,
    ref: str = "HEAD",
    since: datetime | None = None,
) -> "FetchReport":
    """Read the merges of a clone; e-mail addresses are hashed with the salt of the home folder."""
    from pullrisk.fetch.git.fetch import fetch_git as fetch
    from pullrisk.fetch.salt import read_salt

    return fetch(
        path.expanduser(),
        session.store,
        salt=read_salt(session.settings.home / "salt"),
        progress=session.progress,
        repository=repository,
        ref=ref,
        since=since,
    )


def read_pulls(path: str | Path) -> "Iterator[Pull]":
    """The pulls of a file of GitHub's REST objects, one a line, gzip or not; - is standard input.

    Raises InputError with file and line.
    """
    if path == "-":
        yield from _parsed(sys.stdin.buffer, "standard input")
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        yield from _parsed(file, str(path))


def _parsed(file: BinaryIO, name: str) -> "Iterator[Pull]":
    from pullrisk.fetch.lines import read_lines
    from pullrisk.pulls.record import parse_rest

    for number, line in enumerate(read_lines(file, name), 1):
        if not line or line.isspace():
            continue
        try:
            yield parse_rest(line)
        except ValueError as error:
            raise InputError(f"{name}, line {number}: {error}") from error
