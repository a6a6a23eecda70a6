"""`pullrisk run`: the whole pipeline in one process."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.commands import fetch, preprocess, train
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.models import print_evaluation
from pullrisk.cli.display.scores import print_scores
from pullrisk.cli.display.tables import print_json
from pullrisk.cli.session import open_session

if TYPE_CHECKING:
    from pullrisk.score.result import Score
    from pullrisk.train.pipeline import TrainResult
    from pullrisk.wiring.session import Session

Shown: TypeAlias = Annotated[
    int, typer.Option("--show", min=1, metavar="N", help="How many of the riskiest to show.")
]


def run(
    more: fetch.More = None,
    file: options.File = None,
    git: fetch.Git = None,
    repository: fetch.Name = None,
    show: Shown = 10,
    workers: options.Workers = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """All of it in one process: fetch, preprocess, train, evaluate, score, report.

    Without files and clones it starts from what the store already holds. A stopped run
    continues where it was.

    [bold]Examples[/bold]

      pullrisk run --file sample/*.jsonl.gz

      pullrisk run --git ~/src/project --repository owner/project
    """
    started = time.monotonic()
    files = [*(file or ()), *(more or ())]
    with open_session(home=home, quiet=quiet, workers=workers) as session:
        steps = _gather(session, files, git, repository)
        from pullrisk.wiring.reporting import riskiest, write_report
        from pullrisk.wiring.training import train as train_model

        result = train_model(session)
        bundle = result.trained.bundle
        scored = riskiest(session, bundle, limit=show)
        name = f"Model version {result.tracked.version}"
        path = write_report(session, bundle, result.evaluation, name=name)
    if as_json:
        print_json({"evaluation": result.evaluation, "riskiest": scored, "report": path})
        return
    for step in (*steps, train.summary(result)):
        say(step)
    _print(result, scored)
    say(f"\nreport: {path}  ({time.monotonic() - started:.0f} s in all)")


def _gather(
    session: "Session", files: list[str], git: Path | None, repository: str | None
) -> list[str]:
    """Fetch and preprocess; one line about each."""
    from pullrisk.wiring.fetching import fetch_files, fetch_git
    from pullrisk.wiring.preprocessing import preprocess as replay

    steps = []
    if files:
        steps.append(fetch.summary(fetch_files(session, files, repository=repository)))
    if git is not None:
        steps.append(fetch.summary(fetch_git(session, git, repository=repository)))
    return [*steps, preprocess.summary(replay(session))]


def _print(result: "TrainResult", scored: "Sequence[Score]") -> None:
    say("\nThe riskiest recent pull requests", style="bold")
    print_scores(scored)
    say("\nThe model beside plain baselines, on pull requests that none of them saw", style="bold")
    print_evaluation(result.evaluation)
    for note in result.trained.notes:
        warn(f"note: {note}")
