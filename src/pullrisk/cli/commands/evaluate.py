"""`pullrisk evaluate`: a model judged on pull requests that it never saw."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.output import print_json
from pullrisk.cli.session import Session
from pullrisk.cli.tables import print_evaluation

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.train.evaluation import Evaluation

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
    with Session.open(stage="ml-training", home=home, quiet=quiet) as session:
        from pullrisk.wiring.adapters import load_model

        evaluation = evaluate(session, load_model(session.settings, model), since=since)
    if as_json:
        print_json(evaluation)
    else:
        print_evaluation(evaluation)


def evaluate(session: Session, bundle: "Bundle", *, since: datetime | None = None) -> "Evaluation":
    """Judge a model on the session's lake."""
    from pullrisk.train.evaluate import Options
    from pullrisk.train.pipeline import evaluate_bundle

    return evaluate_bundle(
        bundle,
        session.lake.table(),
        read=session.store.events,
        options=Options(since=since.replace(tzinfo=UTC) if since else None),
        progress=session.progress,
    )
