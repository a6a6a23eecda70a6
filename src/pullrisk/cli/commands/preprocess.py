"""`pullrisk preprocess`: the store replayed into the lake."""

from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session

if TYPE_CHECKING:
    from pullrisk.preprocess import PreprocessReport

Engine: TypeAlias = Annotated[
    Literal["local", "spark"],
    typer.Option("--engine", help="What replays: processes of this machine, or a Spark cluster."),
]
Full: TypeAlias = Annotated[
    bool, typer.Option("--full", help="Replay everything anew instead of only what is new.")
]


def run(
    engine: Engine = "local",
    workers: options.Workers = None,
    full: Full = False,
    repository: options.Repositories = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Replay the store into the feature table and the repositories' histories.

    Only what is new since the last run is replayed. A run becomes visible as a whole when it
    ends; a stopped one leaves the lake as it was.

    [bold]Examples[/bold]

      pullrisk preprocess

      pullrisk preprocess --full --repository rails/rails --workers 4

      PULLRISK_SPARK__MASTER=spark://host:7077 pullrisk preprocess --engine spark
    """
    from pullrisk.wiring.preprocessing import preprocess

    with open_session(stage="spark-preprocess", home=home, quiet=quiet, workers=workers) as session:
        report = preprocess(session, engine=engine, repositories=repository, full=full)
    if as_json:
        print_json(report)
        return
    columns = ("repository", "status", "pulls", "rows", "note")
    rows = [
        (each.repository, each.status, f"{each.pulls:,}", f"{each.rows:,}", each.note or "")
        for each in report.repositories
    ]
    if rows:
        print_table(columns, rows, right=("pulls", "rows"))
    say(summary(report))


def summary(report: "PreprocessReport") -> str:
    """What a run did, in one line."""
    if report.run is None:
        if report.version is None:
            return "the store is empty: run `pullrisk fetch` first"
        return f"nothing new: the lake stays at version {report.version}"
    return (
        f"{report.pulls:,} pull requests replayed into {report.rows:,} rows "
        f"in {report.seconds:.1f} s; the lake is at version {report.version}"
    )
