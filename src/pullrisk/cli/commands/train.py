"""`pullrisk train`: the network, trained on the lake and registered."""

from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.models import outcome, outcomes_learnt, print_decision, print_evaluation
from pullrisk.cli.display.tables import print_json
from pullrisk.cli.session import open_session

if TYPE_CHECKING:
    from pullrisk.train.pipeline import TrainResult

Seed: TypeAlias = Annotated[
    int | None,
    typer.Option(metavar="N", help="Seed of the training. [dim](0)[/dim]", show_default=False),
]
Maturity: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--maturity-days",
        metavar="DAYS",
        help="Days until a pull request without a fix or a revert is clean. [dim](90)[/dim]",
        show_default=False,
    ),
]
Gate: TypeAlias = Annotated[
    bool, typer.Option("--gate/--no-gate", help="Let it become champion if it earned that, or not.")
]
IfNew: TypeAlias = Annotated[
    bool,
    typer.Option("--if-new", help="Do nothing where the newest version was trained on this lake."),
]
From: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="MODEL",
        help="Fine-tune this model: general, a file, a registered version (3) or an alias.",
        show_default=False,
    ),
]


def run(
    seed: Seed = None,
    maturity_days: Maturity = None,
    start: From = None,
    gate: Gate = True,
    if_new: IfNew = False,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train the network on matured outcomes, judge it, and register it with MLflow.

    The last quarter of each repository's time is kept for the judgement.

    The new version is challenger. The gate makes it champion if it beats the champion (at first
    the general model) and the plain baselines, with intervals, on pull requests that it never
    saw. Then it is written to model.onnx in the home folder, where the other commands find it;
    else that file is the champion's, or the general model. Where the registry is away, the model
    is kept and `pullrisk models register` registers it later.

    --from fine-tunes a model on this lake, which pays where there are few outcomes to learn from.

    [bold]Examples[/bold]

      pullrisk train

      pullrisk train --from general

      pullrisk train --if-new
    """
    from pullrisk.wiring.training import train, trained_before

    with open_session(
        stage="ml-training", home=home, quiet=quiet, seed=seed, maturity_days=maturity_days
    ) as session:
        if if_new and (version := trained_before(session)) is not None:
            say(f"nothing new: version {version} was trained on this version of the lake")
            return
        result = train(session, gated=gate, start=start)
    if as_json:
        facts = result.trained.bundle.metadata.facts
        print_json(
            {
                "model": result.model,
                "run_id": result.tracked.run_id,
                "version": result.tracked.version,
                "aliases": result.tracked.aliases,
                "best_epoch": result.trained.best_epoch,
                "settings": facts.fit,
                "started_from": facts.started_from,
                "notes": result.trained.notes,
                "gate": result.decision,
                "evaluation": result.evaluation,
            }
        )
        return
    print_evaluation(result.evaluation)
    if result.decision is not None:
        print_decision(result.decision)
    say(summary(result))
    for note in result.trained.notes:
        warn(f"note: {note}")


def summary(result: "TrainResult") -> str:
    """What a training made, in one line."""
    facts = result.trained.bundle.metadata.facts
    aliases = f" ({', '.join(result.tracked.aliases)})" if result.tracked.aliases else ""
    decision = "" if result.decision is None else f"; {outcome(result.decision)}"
    how = f" from {facts.started_from}" if facts.started_from else ""
    written = f", written to {result.model}" if result.uses_trained else ""
    return (
        f"trained{how} on {facts.examples:,} pull requests, {outcomes_learnt(facts)}; registered "
        f"as version {result.tracked.version}{aliases}{written}{decision}"
    )
