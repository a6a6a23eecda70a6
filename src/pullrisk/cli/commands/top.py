"""`pullrisk top`: what is open and recent, the riskiest first."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.brief.wording import counted
from pullrisk.cli import options
from pullrisk.cli.display.console import say
from pullrisk.cli.display.scores import show_scores
from pullrisk.cli.pulls import clone_of, riskiest_first, warn_of_lack
from pullrisk.cli.session import open_session
from pullrisk.errors import NotEnoughDataError
from pullrisk.wiring.scoring import Clone, FoldedClone, make_scorer
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.make import BriefMaker
    from pullrisk.brief.result import ScoredPull
    from pullrisk.pulls.record import Pull

_OPEN: Final = 500
Shown: TypeAlias = Annotated[
    int, typer.Option("--show", "-s", min=1, metavar="N", help="How many of the riskiest to show.")
]
Merged: TypeAlias = Annotated[
    int,
    typer.Option(
        "--merged", "-n", min=0, metavar="N", help="How many of the latest merges to look at."
    ),
]


def run(
    repository: options.Repositories = None,
    git: options.Git = None,
    ref: options.Ref = None,
    branches: options.Branches = False,
    show: Shown = 10,
    merged: Merged = 50,
    model: options.Model = None,
    home: options.Home = None,
    form: options.TableFormat = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """List the riskiest of what is open and of the latest merges, with the first reason of each.

    [bold]Examples[/bold]

      pullrisk top

      pullrisk top --git ~/src/project

      pullrisk top --repository rails/rails --merged 0
    """
    with open_session(stage="model-serving", home=home, quiet=quiet) as session:
        if git is None:
            scored, note = _of_store(session, repository or [], merged, show, model), ""
        else:
            clone = clone_of(git, repository, ref, branches=branches)
            scored, note = _of_clone(session, clone, merged, show, model)
    chosen = options.chosen_form(form, as_json=as_json)
    show_scores(scored, chosen)
    if note and chosen == "text":
        say(note)


def _of_store(
    session: Session, repositories: list[str], merged: int, show: int, model: str | None
) -> "list[ScoredPull]":
    names = repositories or [each.repository for each in session.store.repositories()]
    pulls: list[Pull] = []
    for name in names:
        pulls += session.store.recent(repository=name, state="open", limit=_OPEN)
        if merged:
            pulls += session.store.recent(repository=name, state="merged", limit=merged)
    if not pulls:
        raise NotEnoughDataError(
            "there is no open or merged pull request in the store", hint="run `pullrisk fetch`"
        )
    from pullrisk.brief.make import BriefMaker

    return _riskiest(BriefMaker(make_scorer(session, model)), pulls, show)


def _of_clone(
    session: Session, clone: Clone, merged: int, show: int, model: str | None
) -> "tuple[list[ScoredPull], str]":
    """The riskiest, and when the merges were that they are chosen from."""
    from pullrisk.brief.make import BriefMaker

    with FoldedClone(session, clone) as folded:
        warn_of_lack(folded)
        scorer, name = folded.scorer(model)
        maker = BriefMaker(scorer, folded.diffs() if clone.branches else None)
        pulls = folded.recent(max(1, merged))
        days = sorted(f"{pull.merged_at:%Y-%m-%d}" for pull in pulls if pull.merged_at)
        note = f"of the latest {counted(len(pulls), 'merge')}, {days[0]} to {days[-1]}"
        return _riskiest(maker, pulls, show), f"{note}; scored with {name}"


def _riskiest(maker: "BriefMaker", pulls: "list[Pull]", show: int) -> "list[ScoredPull]":
    """The riskiest of the pulls, and briefs of these alone."""
    now = datetime.now(UTC)
    by_name = {(pull.repository, pull.number): pull for pull in pulls}
    first = riskiest_first(maker.scored(pulls, now=now, briefed=False))[:show]
    return maker.scored([by_name[score.repository, score.number] for score in first], now=now)
