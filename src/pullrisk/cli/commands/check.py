"""`pullrisk check`: the branch in hand, before a pull is opened of it."""

from pathlib import Path
from typing import Annotated

import typer

from pullrisk.cli import options
from pullrisk.cli.commands.action import REACHED
from pullrisk.cli.display.console import note, warn
from pullrisk.cli.display.scores import show_briefs
from pullrisk.cli.session import open_session
from pullrisk.repository_config.options import FailOn
from pullrisk.wiring.checking import BranchCheck, check_branch


def run(
    path: Annotated[
        Path, typer.Argument(metavar="[CLONE]", help="The clone.", show_default=False)
    ] = Path(),
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            metavar="BRANCH",
            help="Where the pull would go; the remote's default branch unless given.",
            show_default=False,
        ),
    ] = None,
    repository: Annotated[
        str | None,
        typer.Option(
            "--repository",
            "-r",
            metavar="OWNER/NAME",
            help="The clone's name, if its remote is not on github.com.",
            show_default=False,
        ),
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(
            "--fail-on",
            help="Exit with 13 from this band of risk on. [dim](fail_on of "
            ".github/pullrisk.yml; never)[/dim]",
            show_default=False,
        ),
    ] = None,
    form: options.Format = None,
    as_json: options.AsJson = False,
    branches: options.Branches = False,
    model: options.Model = None,
    home: options.Home = None,
    quiet: options.Quiet = False,
) -> None:
    """Brief the branch in hand, before a pull is opened of it.

    Its commits are compared with where they left the base branch; what is not committed does not
    count. The base branch's .github/pullrisk.yml says which paths are excluded and how the bands
    are cut. The first run in a clone reads its history (minutes for a large one); later runs go on
    from there. Nothing is sent anywhere.

    A branch that cannot be scored is no failure.

    [bold]Examples[/bold]

      pullrisk check

      pullrisk check ~/src/project --base release/2.x

      pullrisk check --fail-on high --format markdown
    """
    with open_session(home=home, quiet=quiet) as session:
        checked = check_branch(
            session, path, base=base, repository=repository, model=model, branches=branches
        )
    if checked.notice:
        warn(checked.notice)
    if checked.brief is None:
        note(f"not scored: {checked.reason}")
        return
    show_briefs([checked.brief], options.chosen_form(form, as_json=as_json))
    if _reaches(checked, fail_on):
        raise typer.Exit(REACHED)


def _reaches(checked: BranchCheck, fail_on: FailOn | None) -> bool:
    from pullrisk.repository_config.rules import reaches

    band = checked.brief.band if checked.brief else None
    return reaches(band, fail_on or checked.config.fail_on)
