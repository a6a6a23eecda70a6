"""The GitHub side of `pullrisk fetch`: repositories by name, organisation or search."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli.output import print_json, say, warn
from pullrisk.cli.session import Session
from pullrisk.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from pullrisk.fetch.github.fetch import GitHubReport, Request

Organisation: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--org",
        metavar="LOGIN",
        help="From GitHub, all repositories of this organisation or user, most starred first.",
        show_default=False,
    ),
]
Search: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="QUERY",
        help="From GitHub, the repositories that this search finds: 'stars:>100 language:go'.",
        show_default=False,
    ),
]
Limit: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        max=1_000,
        help="Of --org or --search, so many repositories. [dim](100 of a search)[/dim]",
        show_default=False,
    ),
]
Concurrency: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=1, max=50, help="From GitHub, repositories at once.")
]


def request(
    repositories: Sequence[str],
    *,
    organisation: str | None,
    search: str | None,
    limit: int | None,
    concurrency: int,
) -> "Request":
    """What to fetch. Raises MissingExtraError."""
    try:
        from pullrisk.fetch.github.fetch import Request
    except ImportError as error:
        raise MissingExtraError.of(error.name or "httpx", "github") from None
    return Request(
        repositories=tuple(repositories),
        organisation=organisation,
        search=search,
        limit=limit,
        concurrency=concurrency,
    )


def refuse_files(names: Sequence[str]) -> None:
    """A file's name where a repository's is expected has lost its --file. Raises InputError."""
    for name in names:
        if Path(name).is_file():
            raise InputError(f"{name} is a file", hint=f"run: pullrisk fetch --file {name}")


def fetch(session: Session, request: "Request", *, as_json: bool) -> None:
    """Fetch from GitHub into the session's store and say what was done.

    Raises InputError at the end where repositories failed; the others are up to date then.
    """
    from pullrisk.wiring.adapters import github_access

    access = github_access(session.settings)
    from pullrisk.fetch.github.fetch import fetch_github

    report = fetch_github(
        request,
        session.store,
        access=access,
        progress=session.progress,
        rotating=session.rotating(github_access),
    )
    if as_json:
        print_json(report)
    else:
        say(summary(report))
        for each in report.repositories:
            for note in each.notes:
                warn(f"{each.repository}: {note}")
    _refuse_failures(report)


def summary(report: "GitHubReport") -> str:
    """What a fetch from GitHub did, in one line."""
    written = report.written
    parts = [
        f"{len(report.repositories) - len(report.failed):,} repositories up to date",
        f"{report.read:,} pull requests read",
        f"{written.inserted:,} new",
        f"{written.updated:,} updated",
        f"{report.requests:,} requests",
    ]
    if report.left is not None:
        parts.append(f"{report.left:,} points left this hour")
    return ", ".join(parts)


def _refuse_failures(report: "GitHubReport") -> None:
    failed = report.failed
    if len(failed) == 1:
        raise InputError(failed[0].error or failed[0].repository)
    if failed:
        lines = "\n".join(f"  {each.error}" for each in failed)
        raise InputError(f"{len(failed)} repositories could not be fetched:\n{lines}")
