"""`pullrisk store`: look into a pull store, copy one into another, write its records to a file."""

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session
from pullrisk.errors import InputError

if TYPE_CHECKING:
    from datetime import datetime

    from pullrisk.pulls.copy import CopyReport

Source: TypeAlias = Annotated[
    str, typer.Argument(metavar="FROM", help="Path of an SQLite file, or a mongodb:// URI.")
]
Target: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="TO", help="Likewise; the configured store unless given.", show_default=False
    ),
]
Place: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="STORE",
        help="Path of an SQLite file, or a mongodb:// URI; the configured store unless given.",
        show_default=False,
    ),
]

Written: TypeAlias = Annotated[
    str,
    typer.Argument(metavar="FILE", help="Where to; gzipped if it ends in .gz, - is the output."),
]
Repositories: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--repository",
        "-r",
        metavar="OWNER/NAME",
        help="Only this repository; may be repeated.",
        show_default=False,
    ),
]


def run() -> None:
    """Count what a pull store holds, copy it into another, or write its records to a file.

    [bold]Examples[/bold]

      pullrisk store stats

      pullrisk store copy .pullrisk/pulls.sqlite mongodb://localhost/pullrisk

      pullrisk store export records.jsonl.gz
    """


def copy(
    source: Source,
    target: Target = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Copy everything from one pull store into another: pull requests and checkpoints.

    May be repeated at any time: what is already there stays, unless the source has it newer.
    A URI with a password is safer in PULLRISK_STORE than on the command line.

    [bold]Examples[/bold]

      pullrisk store copy .pullrisk/pulls.sqlite mongodb://localhost/pullrisk

      PULLRISK_STORE=mongodb://localhost/pullrisk pullrisk store copy .pullrisk/pulls.sqlite
    """
    from pullrisk.pulls.copy import copy_store
    from pullrisk.wiring.adapters import store_at

    with open_session(home=home, quiet=quiet) as session:
        place = target or session.settings.store_uri
        if source == place:
            raise InputError("both stores are the same", hint="name another one to copy into")
        with store_at(source) as origin, store_at(place) as destination:
            report = copy_store(origin, destination, name=source, progress=session.progress)
    if as_json:
        print_json(report)
    else:
        say(summary(report))


def stats(
    store: Place = None,
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Count the pull requests of each repository in a pull store.

    [bold]Examples[/bold]

      pullrisk store stats

      pullrisk store stats mongodb://localhost/pullrisk --json
    """
    from pullrisk.wiring.adapters import store_at

    with (
        open_session(home=home, quiet=True) as session,
        store_at(store or session.settings.store_uri) as opened,
    ):
        summaries = opened.repositories()
    if as_json:
        print_json(summaries)
        return
    columns = ("repository", "pulls", "merged", "open", "files", "first event", "last event")
    rows = [
        (
            each.repository,
            *(f"{count:,}" for count in (each.pulls, each.merged, each.open, each.files)),
            *map(_day, (each.first_event_at, each.last_event_at)),
        )
        for each in summaries
    ]
    print_table(columns, rows, right=("pulls", "merged", "open", "files"))
    say(f"{sum(each.pulls for each in summaries):,} pull requests of {len(rows):,} repositories")


def export(
    file: Written,
    repository: Repositories = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write the records of the configured store to a file, which `pullrisk fetch --file` reads.

    One record a line, as JSON with the record's own fields: what a clone tells of lines and
    direct pushes goes along, which GitHub's form has no place for. Checkpoints stay behind.

    [bold]Examples[/bold]

      pullrisk store export records.jsonl.gz

      pullrisk store export - --repository rails/rails | PULLRISK_HOME=other pullrisk fetch --file -
    """
    from pullrisk.pulls.export import STDOUT, export_store

    with open_session(home=home, quiet=quiet) as session:
        report = export_store(
            session.store, file, repositories=repository or (), progress=session.progress
        )
    if as_json and file != STDOUT:
        print_json(report)
    elif file != STDOUT:
        say(
            f"{file}: {report.pulls:,} pull requests and {report.pushes:,} direct pushes "
            f"of {report.repositories:,} repositories"
        )


COMMANDS: Final = {"copy": copy, "export": export, "stats": stats}
"""The commands below `pullrisk store`."""


def summary(report: "CopyReport") -> str:
    """What a copy did, in one line."""
    written = report.written
    parts = [
        f"{report.pulls:,} pull requests of {report.repositories:,} repositories",
        f"{written.inserted:,} new",
        f"{written.updated:,} updated",
        f"{written.unchanged:,} already there",
        f"{report.checkpoints:,} checkpoints",
    ]
    if report.whole:
        parts.append(f"passed over {report.whole:,} repositories that were whole")
    return ", ".join(parts)


def _day(moment: "datetime | None") -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"
