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
from pullrisk.errors import NotEnoughDataError

if TYPE_CHECKING:
    from pullrisk.brief.result import ScoredPull
    from pullrisk.wiring.session import Session
    from pullrisk.wiring.training import ModelInUse

Shown: TypeAlias = Annotated[
    int, typer.Option("--show", min=1, metavar="N", help="How many of the riskiest to show.")
]


def run(
    more: fetch.More = None,
    file: options.File = None,
    git: fetch.Git = None,
    repository: fetch.Name = None,
    skip_bad_lines: options.SkipBadLines = False,
    show: Shown = 10,
    workers: options.Workers = None,
    home: options.Home = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """All of it in one process: fetch, preprocess, train, evaluate, score, report.

    Without files and clones it starts from what the store already holds. A stopped run
    continues where it was.

    The trained model answers only if it is ahead of the one before, at first the general model.
    In a young repository, with too little to learn from, the general model answers.

    [bold]Examples[/bold]

      pullrisk run --file sample/*.jsonl.gz

      pullrisk run --git ~/src/project --repository owner/project
    """
    started = time.monotonic()
    files = [*(file or ()), *(more or ())]
    with open_session(home=home, quiet=quiet, workers=workers) as session:
        steps = _gather(session, files, git, repository, skip=skip_bad_lines)
        if not session.lake.exists():
            raise NotEnoughDataError(
                f"there is no merged pull request to learn from: {'; '.join(steps)}",
                hint="of a clone, merges and squashes as GitHub writes them are read",
            )
        from pullrisk.wiring.reporting import riskiest, write_report
        from pullrisk.wiring.training import train_if_possible

        used = train_if_possible(session)
        scored = riskiest(session, used.bundle, limit=show)
        name = used.name[0].upper() + used.name[1:]
        path = write_report(session, used.bundle, used.evaluation, name=name)
    if as_json:
        print_json(
            {
                "model": used.name,
                "evaluation": used.evaluation,
                "riskiest": scored,
                "report": path,
            }
        )
        return
    for step in (*steps, _trained(used)):
        say(step)
    _print(used, scored)
    say(f"\nreport: {path}  ({time.monotonic() - started:.0f} s in all)")


def _gather(
    session: "Session",
    files: list[str],
    git: Path | None,
    repository: str | None,
    *,
    skip: bool,
) -> list[str]:
    """Fetch and preprocess; one line about each."""
    from pullrisk.wiring.fetching import fetch_files, fetch_git
    from pullrisk.wiring.preprocessing import preprocess as replay

    steps = []
    if files:
        report = fetch_files(session, files, repository=repository, skip=skip)
        fetch.warn_of_skipped(report.bad_lines)
        steps.append(fetch.summary(report))
    if git is not None:
        steps.append(fetch.summary(fetch_git(session, git, repository=repository)))
    return [*steps, preprocess.summary(replay(session))]


def _trained(used: "ModelInUse") -> str:
    """What was trained, and why another model answers where the trained one does not."""
    if used.result is None:
        return f"no model was trained: {used.untrained}; {used.name} answers"
    text = train.summary(used.result)
    if used.result.uses_trained or used.result.decision is None:
        return text
    return f"{text}, because {'; '.join(used.result.decision.reasons)}"


def _print(used: "ModelInUse", scored: "Sequence[ScoredPull]") -> None:
    say("\nThe riskiest recent pull requests", style="bold")
    print_scores(scored)
    say(f"scored with {used.name}")
    say("\nThat model beside plain baselines, on later pull requests", style="bold")
    print_evaluation(used.evaluation)
    if used.result is not None and used.result.uses_trained:
        for note in used.result.trained.notes:
            warn(f"note: {note}")
