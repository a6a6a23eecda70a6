"""`pullrisk explain`: the whole brief of pull requests."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.scores import show_briefs
from pullrisk.cli.pulls import NUMBER, PULL_OF, clone_of, read_files, stored
from pullrisk.cli.session import open_session
from pullrisk.errors import InputError
from pullrisk.wiring.scoring import Clone, FoldedClone, make_scorer
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import Brief
    from pullrisk.pulls.record import Pull

_NUMBER: Final = re.compile(rf"(?:{PULL_OF})?#?(?P<number>{NUMBER})")

References: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OWNER/NAME#N]...",
        help="Pull requests of the store; with --git their numbers.",
        show_default=False,
    ),
]


def run(
    references: References = None,
    repository: options.Repositories = None,
    file: options.File = None,
    git: options.Git = None,
    ref: options.Ref = None,
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
        pulls = read_files(session, file, repository or ())
        if git is None:
            pulls = pulls or [stored(session.store, reference) for reference in references or ()]
            briefs, note = _of_store(session, pulls, model), ""
        else:
            clone = clone_of(git, repository, ref, branches=branches)
            briefs, note = _of_clone(session, clone, pulls, references or (), model)
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
    pulls: "Sequence[Pull] | None",
    references: Sequence[str],
    model: str | None,
) -> "tuple[list[Brief], str]":
    """The briefs, and what is to be said of them together."""
    from pullrisk.brief.make import BriefMaker
    from pullrisk.brief.under_way import open_works

    with FoldedClone(session, clone) as folded:
        if folded.unkept:
            warn(folded.unkept)
        scorer, name = folded.scorer(model)
        if pulls is not None:
            pulls = folded.complete(pulls)
        elif references:
            pulls = [_merged(folded, reference) for reference in references]
        else:
            pulls = folded.recent(1)
        maker = BriefMaker(scorer, folded.diffs())
        briefs = maker.briefs(pulls, now=datetime.now(UTC), works=open_works(pulls))
        return briefs, f"scored with {name}"


def _merged(folded: FoldedClone, reference: str) -> "Pull":
    """The pull request of a clone with this number. Raises InputError."""
    named = _NUMBER.fullmatch(reference)
    other = named and named["repository"]
    if other and other.lower() != folded.repository.lower():
        raise InputError(
            f"{reference} is no pull request of {folded.repository}, which the clone is of",
            hint="if it is, name the clone's repository with --repository",
        )
    pull = named and folded.store.get(folded.repository, int(named["number"]))
    if not pull:
        raise InputError(
            f"{reference} is no merged pull request of the clone",
            hint="write its number; an open one comes from a file: --file open.json",
        )
    return pull
