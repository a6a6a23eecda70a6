"""`pullrisk feedback`: what people said of scores, in comments at pull requests."""

from typing import Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_json, print_table
from pullrisk.cli.session import open_session

Repository: TypeAlias = Annotated[
    str | None,
    typer.Option("--repository", "-r", metavar="OWNER/NAME", help="Only of this repository."),
]


def run(
    repository: Repository = None, home: options.Home = None, as_json: options.Json = False
) -> None:
    """List what people with write access answered to scores: wrong, missed, noisy, explain.

    They comment `/pullrisk wrong` and the like at a pull request; the GitHub App keeps it, with
    the risk that was told then.

    [bold]Examples[/bold]

      pullrisk feedback --repository kedro-org/kedro
    """
    from pullrisk.pulls.feedback import load_feedback

    with open_session(home=home, quiet=True) as session:
        answers = load_feedback(session.store, repository=repository)
    if as_json:
        print_json(answers)
        return
    columns = ("when", "pull", "says", "who", "risk", "band", "note")
    rows = [
        (
            f"{each.at:%Y-%m-%d %H:%M}",
            f"{each.repository}#{each.number}",
            each.kind,
            each.login,
            "" if each.risk is None else f"{each.risk:.1%}",
            each.band or "",
            each.note,
        )
        for each in answers
    ]
    print_table(columns, rows, right=("risk",))
    say(f"{len(answers):,} answers")
