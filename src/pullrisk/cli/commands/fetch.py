"""`pullrisk fetch`: pull requests from GitHub, files or a clone into the store."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.tables import print_json
from pullrisk.cli.session import open_session
from pullrisk.errors import InputError

if TYPE_CHECKING:
    from pullrisk.fetch.github.fetch import GitHubReport
    from pullrisk.fetch.report import BadLine, FetchReport

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
Organisation: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--org",
        metavar="LOGIN",
        help="From GitHub, all repositories of this organisation or user, most starred first.",
        show_default=False,
    ),
]
InstalledApp: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--installed", help="From GitHub, the repositories where the GitHub App is installed."
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


def run(
    names: Names = None,
    file: options.File = None,
    git: Git = None,
    repository: Name = None,
    ref: options.Ref = None,
    since: Since = None,
    skip_bad_lines: options.SkipBadLines = False,
    org: Organisation = None,
    search: Search = None,
    installed: InstalledApp = False,
    limit: Limit = None,
    concurrency: Concurrency = 4,
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

      gh api --paginate 'repos/rails/rails/pulls?state=all' | pullrisk fetch --file -

      pullrisk fetch --git ~/src/project --repository owner/project
    """
    repositories = tuple(names or ()) if not file and git is None else ()
    files = [*(file or ()), *(names or ())] if file else []
    from_github = bool(repositories or org or search or installed)
    if from_github + bool(files) + (git is not None) != 1 or (git and names):
        raise typer.BadParameter(
            "name repositories (owner/name, --org, --search or --installed), or files with --file, "
            "or a clone with --git"
        )
    from pullrisk.fetch.git.program import top_of
    from pullrisk.wiring.fetching import fetch_files, fetch_git, fetch_github, installed_names

    with open_session(stage="data-fetch", home=home, quiet=quiet) as session:
        if from_github:
            _refuse_files(repositories)
            if installed:
                repositories += tuple(installed_names(session))
            fetched = fetch_github(
                session,
                repositories,
                organisation=org,
                search=search,
                limit=limit,
                concurrency=concurrency,
            )
            _show_github(fetched, as_json=as_json)
            return
        if git is None:
            report = fetch_files(session, files, repository=repository, skip=skip_bad_lines)
        else:
            moment = since.replace(tzinfo=UTC) if since else None
            report = fetch_git(session, top_of(git), repository=repository, ref=ref, since=moment)
    if as_json:
        print_json(report)
        return
    say(summary(report))
    _warn_of_damage(report)
    warn_of_skipped(report.bad_lines)


def summary(report: "FetchReport") -> str:
    """What a fetch did, in one line."""
    written = report.written
    parts = [
        f"{report.read:,} pull requests read" + (f" from {report.branch}" * bool(report.branch)),
        f"{written.inserted:,} new",
        f"{written.updated:,} updated",
        f"{written.unchanged:,} already there",
    ]
    if report.resumed:
        parts.append(f"went on after {report.resumed:,} that were done before")
    if report.bad:
        parts.append(f"{report.bad:,} bad lines skipped")
    return "; ".join([", ".join(parts), *_not_read(report)])


def _not_read(report: "FetchReport") -> Iterator[str]:
    """What of a clone's commits became no pull, and why."""
    if report.passed:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in report.passed.items())
        yield f"{sum(report.passed.values()):,} numbered commits are no pulls ({reasons})"
    if report.unnumbered:
        yield (
            f"{report.unnumbered:,} commits name no pull (pushed directly, or merged by rebase, "
            "which only GitHub tells)"
        )


def _warn_of_damage(report: "FetchReport") -> None:
    if report.held:
        warn(
            f"{report.held:,} pull requests have dates that do not fit their place on the branch: "
            "they are held between those before and after them"
        )
    if report.unreadable:
        warn(
            f"{report.unreadable:,} changed files could not be read from the clone: their line "
            "counts are unknown; git fsck says what is missing"
        )
    if report.lines:
        warn(report.lines)


def warn_of_skipped(bad_lines: "Sequence[BadLine]") -> None:
    """Name the first of what could not be read."""
    for bad in bad_lines[:SHOWN_BAD_LINES]:
        warn(f"skipped {bad.source}, line {bad.line}: {bad.reason}")


def _refuse_files(names: Sequence[str]) -> None:
    """A file's name where a repository's is expected has lost its --file. Raises InputError."""
    for name in names:
        if Path(name).is_file():
            raise InputError(f"{name} is a file", hint=f"run: pullrisk fetch --file {name}")


def _show_github(report: "GitHubReport", *, as_json: bool) -> None:
    """Say what was fetched. Raises InputError at the end if repositories failed."""
    if as_json:
        print_json(report)
    else:
        say(_github_summary(report))
        for each in report.repositories:
            for note in each.notes:
                warn(f"{each.repository}: {note}")
    _refuse_failures(report)


def _github_summary(report: "GitHubReport") -> str:
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
