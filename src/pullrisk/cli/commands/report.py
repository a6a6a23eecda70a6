"""`pullrisk report`: one HTML page."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.tables import print_json
from pullrisk.cli.session import open_session

Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to write it. [dim](report.html in the home folder)[/dim]",
        show_default=False,
    ),
]


def run(
    output: Output = None,
    model: options.Model = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Write one HTML page: how good the model is, what drives risk, what to read first.

    The page is one file and loads nothing from anywhere, so it can be mailed or archived.

    [bold]Examples[/bold]

      pullrisk report

      pullrisk report --model @champion --output risk.html
    """
    with open_session(stage="model-serving", home=home, quiet=quiet) as session:
        from pullrisk.model.general import is_general
        from pullrisk.wiring.adapters import load_model
        from pullrisk.wiring.reporting import write_report
        from pullrisk.wiring.training import evaluate

        bundle = load_model(session.settings, model)
        evaluation = evaluate(session, bundle)
        name = (
            f"Model {model}"
            if model
            else ("The general model" if is_general(bundle) else "The home's own model")
        )
        path = write_report(session, bundle, evaluation, name=name, output=output)
    if as_json:
        print_json({"report": path})
    else:
        say(f"report: {path}")
