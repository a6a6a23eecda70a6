"""`pullrisk action`: the steps of the GitHub Action, which action.yml runs one after the other."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import typer

from pullrisk.errors import PullriskError
from pullrisk.wiring.action_job import ActionJob

REACHED: Final = 13
"""The exit code of a job that was asked to fail from a band of risk on."""


def run() -> None:
    """The steps of the GitHub Action, run by action.yml on a runner.

    They read the job from the runner's variables (GITHUB_*, INPUT_*) and write its outputs and
    summary. What goes wrong is shown in the job and is no failure. In a clone, run
    pullrisk check.
    """


def prepare() -> None:
    """Make the checkout complete, and say whether there is a pull to score, and its caches."""
    from pullrisk.wiring.action_score import prepare as step

    _run(step)


def score() -> None:
    """Score the pull of the event, or bring the cached history up to date after a push."""
    from pullrisk.wiring.action_score import score as step

    _run(step)


def tell() -> None:
    """Write the job's summary, comment and label as configured; fail if asked to."""
    from pullrisk.wiring.action_tell import tell as step

    with _job() as job:
        try:
            has_to_fail = step(job)
        except PullriskError as error:
            job.runner.annotate("warning", f"nothing is told: {error}")
            return
    if has_to_fail:
        raise typer.Exit(REACHED)


COMMANDS: Final = {"prepare": prepare, "score": score, "tell": tell}


def _run(step: Callable[[ActionJob], None]) -> None:
    with _job() as job:
        try:
            step(job)
        except PullriskError as error:
            job.fail(error)
        except Exception as error:
            job.fail(PullriskError(f"unexpected {type(error).__name__}: a defect of pullrisk"))
            raise


@contextmanager
def _job() -> Iterator[ActionJob]:
    """The job. Outside a runner it is an error; a wrong input is one line of the job."""
    from pullrisk.action.runner import Runner
    from pullrisk.wiring.action_job import GITHUB, job_folder
    from pullrisk.wiring.session import Session

    runner = Runner()
    folder = job_folder(runner)
    try:
        server = runner.variable("GITHUB_SERVER_URL", GITHUB)
        with Session.open(home=folder / "home", github_url=server) as session:
            yield ActionJob(runner, session, folder)
    except PullriskError as error:
        runner.annotate("error", str(error))
        runner.output("run", False)
        runner.output("scored", False)
