"""`pullrisk lake`: look at the lake's runs, and delete what nothing refers to."""

from datetime import timedelta
from typing import Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session

_DAY: Final = 24

Limit: TypeAlias = Annotated[
    int, typer.Option("--limit", "-n", min=1, metavar="N", help="At most so many, newest first.")
]
OlderThan: TypeAlias = Annotated[
    int,
    typer.Option(
        "--older-than", min=0, metavar="HOURS",
        help="Only what is older: a run that works may be about to commit newer files.",
    ),
]  # fmt: skip


def run() -> None:
    """List the lake's runs, or delete what nothing refers to.

    [bold]Examples[/bold]

      pullrisk lake runs

      pullrisk lake vacuum --older-than 48
    """


def runs(
    limit: Limit = 20,
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """List the latest runs that were committed to the lake.

    [bold]Example[/bold]

      pullrisk lake runs --limit 5
    """
    with open_session(home=home, quiet=True) as session:
        latest = session.lake.runs(limit)
        place = session.lake.uri
    if as_json:
        print_json(latest)
        return
    rows = [
        (
            str(run.version),
            f"{run.committed_at:%Y-%m-%d %H:%M:%S}",
            f"{run.facts.get('pulls', 0):,}",
            f"{run.facts.get('rows', 0):,}",
            f"{len(run.facts.get('repositories', ())):,}",
        )
        for run in latest
    ]
    if rows:
        columns = ("version", "committed (UTC)", "pulls", "rows", "repositories")
        print_table(columns, rows, right=("version", "pulls", "rows", "repositories"))
    else:
        say(f"no run yet in {place}")


def vacuum(
    older_than: OlderThan = _DAY,
    home: options.Home = None,
    as_json: options.Json = False,
) -> None:
    """Delete files that nothing refers to: of killed runs, replaced rows, superseded histories.

    Versions of the table from before then can no longer be read.

    [bold]Example[/bold]

      pullrisk lake vacuum --older-than 48
    """
    with open_session(home=home, quiet=True) as session:
        deleted = session.lake.vacuum(older_than=timedelta(hours=older_than))
        place = session.lake.uri
    if as_json:
        print_json(deleted)
        return
    for path in deleted:
        say(path)
    say(f"{len(deleted):,} files deleted from {place}")


COMMANDS: Final = {"runs": runs, "vacuum": vacuum}
