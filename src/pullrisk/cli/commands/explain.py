"""`pullrisk explain`: the whole brief of pull requests."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.commands import fetch
from pullrisk.cli.commands.score import clone_of, read_files, stored
from pullrisk.cli.display.console import say
from pullrisk.cli.display.scores import show_briefs
from pullrisk.cli.session import open_session
from pullrisk.errors import InputError
from pullrisk.wiring.scoring import Clone, FoldedClone, make_scorer
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import Brief
    from pullrisk.pulls.record import Pull

_NUMBER: Final = re.compile(r"(?:[^/#\s]+/[^/#\s]+)?#?(?P<number>[1-9]\d*)")

Wanted: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OWNER/NAME#N]...",
        help="Pull requests of the store; with --git their numbers.",
        show_default=False,
    ),
]


def run(
    references: Wanted = None,
    repository: options.Repositories = None,
    file: options.File = None,
    git: options.Git = None,
    ref: fetch.Ref = None,
    branches: options.Branches = False,
    model: options.Model = None,
    home: options.Home = None,
    form: options.Format = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Tell the whole brief of a pull request: the verdict, why, where to look, who knows it.

    A merged one is told with what was known just before its merge, an open one with what is known
    now. Without numbers, --git explains the latest merge.

    [bold]Examples[/bold]

      pullrisk explain rails/rails#54321

      pullrisk explain --git ~/src/project 123

      gh api 'repos/rails/rails/pulls/54321' | pullrisk explain --git . --branches --file -

      pullrisk explain --git . 123 --format markdown
    """
    if git is None and not references and not file:
        raise typer.BadParameter("name a pull request, a --file of some, or a clone with --git")
    with open_session(stage="model-serving", home=home, quiet=quiet) as session:
        own = read_files(session, file or (), repository or (), skipped=None)
        if git is None:
            pulls = own or [stored(session.store, reference) for reference in references or ()]
            briefs, note = _of_store(session, pulls, model), ""
        else:
            clone = clone_of(git, repository, ref, branches=branches)
            briefs, name = _of_clone(session, clone, own, references or (), model)
            note = f"scored with {name}"
    chosen = options.chosen_form(form, as_json=as_json)
    show_briefs(briefs, chosen)
    if note and chosen == "text":
        say(f"\n{note}")


def _of_store(session: Session, pulls: "Sequence[Pull]", model: str | None) -> "list[Brief]":
    from pullrisk.brief.make import BriefMaker
    from pullrisk.brief.under_way import MOST_OPEN, open_works

    maker, now = BriefMaker(make_scorer(session, model)), datetime.now(UTC)
    others = {
        name: open_works(session.store.recent(repository=name, state="open", limit=MOST_OPEN))
        for name in {pull.repository for pull in pulls}
    }
    return [maker.brief(pull, now=now, works=others[pull.repository]) for pull in pulls]


def _of_clone(
    session: Session,
    clone: Clone,
    pulls: "Sequence[Pull]",
    references: Sequence[str],
    model: str | None,
) -> "tuple[list[Brief], str]":
    from pullrisk.brief.make import BriefMaker
    from pullrisk.brief.under_way import open_works

    with FoldedClone(session, clone) as folded:
        scorer, name = folded.scorer(model)
        if pulls:
            wanted = folded.complete(pulls)
        elif references:
            wanted = [_merged(folded, reference) for reference in references]
        else:
            wanted = folded.recent(1)
        maker = BriefMaker(scorer, folded.diffs())
        return maker.briefs(wanted, now=datetime.now(UTC), works=open_works(wanted)), name


def _merged(folded: FoldedClone, reference: str) -> "Pull":
    """The pull request of a clone with this number. Raises InputError."""
    number = _NUMBER.fullmatch(reference)
    pull = number and folded.store.get(folded.repository, int(number["number"]))
    if not pull:
        raise InputError(
            f"{reference} is no merged pull request of the clone",
            hint="write its number; an open one comes from a file: --file open.json",
        )
    return pull
