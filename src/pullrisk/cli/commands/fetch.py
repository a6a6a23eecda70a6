"""`pullrisk fetch`: pull requests from GitHub, files or a clone into the store."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli import fetch_github, options
from pullrisk.cli.output import print_json, say, warn
from pullrisk.cli.session import Session

if TYPE_CHECKING:
    from pullrisk.fetch.report import FetchReport

SHOWN_BAD_LINES = 5


More: TypeAlias = Annotated[
    list[str] | None, typer.Argument(metavar="[FILE]...", help="More files.", show_default=False)
]
Names: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OWNER/NAME]...",
        help="Repositories on GitHub; after --file, more files.",
        show_default=False,
    ),
]
Git: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="A local clone: its merge and squash commits become pull requests.",
        show_default=False,
    ),
]
Name: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--repository",
        "-r",
        metavar="OWNER/NAME",
        help="Name of the repository where the source does not say it.",
        show_default=False,
    ),
]
Since: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="DATE",
        help="Of a clone, only what was merged since.",
        show_default=False,
    ),
]
Ref: TypeAlias = Annotated[
    str, typer.Option(metavar="REF", help="Of a clone, the branch or commit that was merged into.")
]
SkipBadLines: TypeAlias = Annotated[
    bool, typer.Option("--skip-bad-lines", help="Go on after a line that cannot be read.")
]


def run(
    names: Names = None,
    file: options.File = None,
    git: Git = None,
    repository: Name = None,
    ref: Ref = "HEAD",
    since: Since = None,
    skip_bad_lines: SkipBadLines = False,
    org: fetch_github.Organisation = None,
    search: fetch_github.Search = None,
    limit: fetch_github.Limit = None,
    concurrency: fetch_github.Concurrency = 4,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Read pull requests from GitHub, files or a git clone into the pull store.

    A stopped run continues where it was; what is already stored is not stored twice. GitHub
    needs a token: GITHUB_TOKEN, PULLRISK_GITHUB_TOKEN or the gh program's. Files and clones
    need none.

    [bold]Examples[/bold]

      pullrisk fetch rails/rails rust-lang/cargo

      pullrisk fetch --search 'stars:>10000 language:go' --limit 20

      pullrisk fetch --file pulls.jsonl.gz others.jsonl

      zstdcat pulls.jsonl.zst | pullrisk fetch --file -

      pullrisk fetch --git ~/src/project --repository owner/project
    """
    repositories = tuple(names or ()) if not file and git is None else ()
    files = [*(file or ()), *(names or ())] if file else []
    from_github = bool(repositories or org or search)
    if from_github + bool(files) + (git is not None) != 1 or (git and names):
        raise typer.BadParameter(
            "name repositories (owner/name, --org or --search), or files with --file, "
            "or a clone with --git"
        )
    with Session.open(stage="data-fetch", home=home, quiet=quiet) as session:
        if from_github:
            fetch_github.refuse_files(repositories)
            request = fetch_github.request(
                repositories,
                organisation=org,
                search=search,
                limit=limit,
                concurrency=concurrency,
            )
            fetch_github.fetch(session, request, as_json=as_json)
            return
        if git is None:
            report = fetch_files(session, files, repository=repository, skip=skip_bad_lines)
        else:
            moment = since.replace(tzinfo=UTC) if since else None
            report = fetch_git(session, git, repository=repository, ref=ref, since=moment)
    if as_json:
        print_json(report)
        return
    say(summary(report))
    for bad in report.bad_lines[:SHOWN_BAD_LINES]:
        warn(f"skipped {bad.source}, line {bad.line}: {bad.reason}")


def fetch_files(
    session: Session, files: list[str], *, repository: str | None = None, skip: bool = False
) -> "FetchReport":
    """Read the files into the session's store."""
    from pullrisk.fetch.files import fetch_files as fetch

    return fetch(
        files,
        session.store,
        progress=session.progress,
        on_error="skip" if skip else "stop",
        repository=repository,
    )


def fetch_git(
    session: Session, path: Path, *, repository: str | None, ref: str, since: datetime | None
) -> "FetchReport":
    """Read the clone's merges into the session's store."""
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


def summary(report: "FetchReport") -> str:
    """What a fetch did, in one line."""
    written = report.written
    parts = [
        f"{report.read:,} pull requests read",
        f"{written.inserted:,} new",
        f"{written.updated:,} updated",
        f"{written.unchanged:,} already there",
    ]
    if report.resumed:
        parts.append(f"went on after {report.resumed:,} that were done before")
    if report.bad:
        parts.append(f"{report.bad:,} bad lines skipped")
    return ", ".join(parts)
