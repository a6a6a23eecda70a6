"""`pullrisk score`: risks of pull requests, with the first reason of each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.commands import fetch
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.scores import show_scores
from pullrisk.cli.pulls import clone_of, read_files, riskiest_first, stored, warn_of_lack
from pullrisk.cli.session import open_session
from pullrisk.errors import NotEnoughDataError
from pullrisk.wiring.scoring import Clone, FoldedClone, make_scorer
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import ScoredPull
    from pullrisk.fetch.report import BadLine
    from pullrisk.pulls.record import Pull

DEFAULT_RECENT: Final = 20

References: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OWNER/NAME#N]...", help="Pull requests of the store.", show_default=False
    ),
]
Recent: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--recent",
        "-n",
        min=1,
        metavar="N",
        help="The N latest of the store, or of each --repository.",
        show_default=False,
    ),
]
Explain: TypeAlias = Annotated[
    bool, typer.Option("--explain/--no-explain", help="Say why, or only how much.")
]
ByRisk: TypeAlias = Annotated[
    bool, typer.Option("--by-risk", help="The riskiest first, instead of the order asked for.")
]


def run(
    references: References = None,
    recent: Recent = None,
    repository: options.Repositories = None,
    file: options.File = None,
    git: options.Git = None,
    ref: options.Ref = None,
    model: options.Model = None,
    explain: Explain = True,
    by_risk: ByRisk = False,
    home: options.Home = None,
    skip_bad_lines: options.SkipBadLines = False,
    form: options.TableFormat = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Score pull requests: the risk, and what drives it most.

    `pullrisk explain` tells the rest of each one. Merged ones are scored with what was known just
    before their merge, open ones with what is known now.

    The model is that of the home: the last trained one that was let in, else the general one,
    which is part of pullrisk. With --git, a clone is enough: its history is folded on the spot,
    and the general model answers where the home's does not know the repository.

    [bold]Examples[/bold]

      pullrisk score --git ~/src/project --by-risk

      pullrisk score --git . --file open.jsonl

      pullrisk score rails/rails#54321

      pullrisk score --recent 50 --repository rails/rails --by-risk

      gh api 'repos/rails/rails/pulls' | pullrisk score --file - --by-risk

      pullrisk score --file open.jsonl --json | jq '.[] | select(.band == "high")'
    """
    skipped: list[BadLine] = []
    with open_session(stage="model-serving", home=home, quiet=quiet) as session:
        pulls = read_files(
            session, file, repository or (), skipped=skipped if skip_bad_lines else None
        )
        if git is None:
            if pulls is None:
                pulls = _pulls(session, references or [], repository or [], recent)
            scored, note = _score(session, pulls, model=model, explained=explain)
        elif references:
            raise typer.BadParameter(
                "with --git, give --recent; `pullrisk explain --git` tells of single ones"
            )
        else:
            clone = clone_of(git, repository, ref)
            scored, name = _score_clone(
                session, clone, pulls, recent=recent, model=model, explained=explain
            )
            note = f"scored with {name}"
    fetch.warn_of_skipped(skipped)
    if by_risk:
        scored = riskiest_first(scored)
    chosen = options.chosen_form(form, as_json=as_json)
    show_scores(scored, chosen)
    if chosen != "text":
        return
    if note:
        say(note)
    _warn(scored)


def _score(
    session: Session, pulls: "Sequence[Pull]", *, model: str | None, explained: bool
) -> "tuple[list[ScoredPull], str]":
    from pullrisk.brief.make import BriefMaker
    from pullrisk.model.general import is_general

    scorer = make_scorer(session, model)
    note = "scored with the general model" if is_general(scorer.bundle) else ""
    maker = BriefMaker(scorer)
    return maker.scored(pulls, now=datetime.now(UTC), briefed=explained), note


def _score_clone(
    session: Session,
    clone: Clone,
    pulls: "Sequence[Pull] | None",
    *,
    recent: int | None,
    model: str | None,
    explained: bool,
) -> "tuple[list[ScoredPull], str]":
    """The scores of these pulls, or of the clone's latest, and the model's name."""
    from pullrisk.brief.make import BriefMaker

    with FoldedClone(session, clone) as folded:
        scorer, name = folded.scorer(model)
        warn_of_lack(folded)
        pulls = folded.recent(recent or DEFAULT_RECENT) if pulls is None else folded.complete(pulls)
        maker = BriefMaker(scorer)
        return maker.scored(pulls, now=datetime.now(UTC), briefed=explained), name


def _pulls(
    session: Session,
    references: Sequence[str],
    repositories: Sequence[str],
    recent: int | None,
) -> "list[Pull]":
    if references:
        return [stored(session.store, reference) for reference in references]
    limit = recent or DEFAULT_RECENT
    names: Sequence[str | None] = repositories or [None]
    pulls = [pull for name in names for pull in session.store.recent(repository=name, limit=limit)]
    if not pulls:
        where = f"of {', '.join(repositories)} " if repositories else ""
        raise NotEnoughDataError(
            f"there is no pull request {where}in the store", hint="run `pullrisk fetch` first"
        )
    return pulls


def _warn(scored: "Sequence[ScoredPull]") -> None:
    from pullrisk.score.result import UNKNOWN_AUTHOR, WARNINGS

    for basis, text in WARNINGS.items():
        _warn_of([score for score in scored if score.basis == basis], text)
    histories = [score for score in scored if score.basis != "no history"]
    _warn_of(
        [score for score in histories if score.author and not score.author_known], UNKNOWN_AUTHOR
    )
    if any(score.risk is None for score in scored):
        say("the model has no risk: it was trained with too few matured reverts")


def _warn_of(scored: "Sequence[ScoredPull]", text: str) -> None:
    """Say it once of them all, naming the first three."""
    names = [f"{score.repository}#{score.number}" for score in scored]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        warn(f"{', '.join(names[:3])}{more}: {text}")
