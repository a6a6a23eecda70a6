"""`pullrisk evaluate`: a model judged on pull requests that it never saw."""

from datetime import datetime
from typing import Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.models import print_evaluation
from pullrisk.cli.display.tables import print_json
from pullrisk.cli.session import open_session

Since: TypeAlias = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        metavar="DATE",
        help="Only pull requests merged since.",
        show_default=False,
    ),
]


def run(
    model: options.Model = None,
    since: Since = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Judge a model on later pull requests than it was trained on, beside plain baselines.

    Figures come with bootstrap 95 % intervals. Pull requests younger than the maturity window
    do not count. Novelty is judged by injected anomalies.

    [bold]Examples[/bold]

      pullrisk evaluate

      pullrisk evaluate --model @champion --since 2026-01-01 --json
    """
    with open_session(stage="ml-training", home=home, quiet=quiet) as session:
        from pullrisk.wiring.adapters import load_model
        from pullrisk.wiring.training import evaluate

        evaluation = evaluate(session, load_model(session.settings, model), since=since)
    if as_json:
        print_json(evaluation)
    else:
        print_evaluation(evaluation)
