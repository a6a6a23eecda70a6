"""`pullrisk report`: one HTML page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.output import print_json, say
from pullrisk.cli.session import Session

if TYPE_CHECKING:
    from pullrisk.model.bundle import Bundle
    from pullrisk.train.evaluation import Evaluation

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
    with Session.open(stage="model-serving", home=home, quiet=quiet) as session:
        from pullrisk.cli.commands.evaluate import evaluate
        from pullrisk.wiring.adapters import load_model

        bundle = load_model(session.settings, model)
        evaluation = evaluate(session, bundle)
        name = f"Model {model}" if model else "The last trained model"
        path = report(session, bundle, evaluation, name=name, output=output)
    if as_json:
        print_json({"report": path})
    else:
        say(f"report: {path}")


def report(
    session: Session,
    bundle: "Bundle",
    evaluation: "Evaluation",
    *,
    name: str,
    output: Path | None = None,
) -> Path:
    """Write the page about an evaluated model, called `name`; the path of the file."""
    from pullrisk.features import NAMES
    from pullrisk.report import build, page
    from pullrisk.score.scorer import Scorer
    from pullrisk.train.dataset import Dataset
    from pullrisk.wiring.adapters import operating_points

    path = output or session.settings.home / "report.html"
    with session.progress.task("write the report", total=2, unit="steps") as task:
        days = bundle.metadata.facts.maturity_days
        contents = build.build(
            scorer=Scorer(bundle, session.lake, points=operating_points(session.settings)),
            model=name,
            dataset=Dataset.from_table(session.lake.table(), NAMES, maturity_days=days),
            evaluation=evaluation,
            store=session.store,
            now=datetime.now(UTC),
        )
        task.advance()
        page.write(page.render(contents), path)
        task.advance()
    return path
