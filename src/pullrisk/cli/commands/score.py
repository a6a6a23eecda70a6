"""`pullrisk score`: risks of pull requests, with the first reason of each."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from pullrisk.cli import options
from pullrisk.cli.commands import fetch
from pullrisk.cli.display.console import say, warn
from pullrisk.cli.display.scores import show_scores
from pullrisk.cli.session import open_session
from pullrisk.errors import InputError, NotEnoughDataError
from pullrisk.wiring.fetching import read_pulls
from pullrisk.wiring.scoring import Clone, FoldedClone, make_scorer
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.brief.result import ScoredPull
    from pullrisk.fetch.report import BadLine
    from pullrisk.pulls.record import Pull
    from pullrisk.pulls.store import PullStore

DEFAULT_RECENT: Final = 20
_REFERENCE: Final = re.compile(r"(?P<repository>[^/#\s]+/[^/#\s]+)#(?P<number>[1-9]\d*)")

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
    ref: fetch.Ref = None,
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
        kept = skipped if skip_bad_lines else None
        own = read_files(session, file or (), repository or (), skipped=kept)
        if git is None:
            pulls = own if file else _pulls(session, references or [], repository or [], recent)
            scored, note = _score(session, pulls, model=model, explained=explain)
        elif references:
            raise typer.BadParameter("with --git, name no pull requests: give --recent")
        else:
            clone = clone_of(git, repository, ref)
            scored, name = _score_clone(
                session, clone, own, recent=recent, model=model, explained=explain
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


def clone_of(
    git: Path, repositories: list[str] | None, ref: str | None, *, branches: bool = False
) -> Clone:
    """The clone of --git; --repository names it where its origin does not."""
    name = next(iter(repositories or ()), None)
    return Clone(path=git, repository=name, ref=ref, branches=branches)


def read_files(
    session: Session,
    files: Sequence[str],
    repositories: Sequence[str],
    *,
    skipped: "list[BadLine] | None",
) -> "list[Pull]":
    """The pulls of the files; the first repository is that of those which name none."""
    repository = next(iter(repositories), None)
    skip = None if skipped is None else skipped.append
    return [
        pull
        for path in files
        for pull in read_pulls(path, repository=repository, skipped=skip, settings=session.settings)
    ]


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
    pulls: "Sequence[Pull]",
    *,
    recent: int | None,
    model: str | None,
    explained: bool,
) -> "tuple[list[ScoredPull], str]":
    from pullrisk.brief.make import BriefMaker

    with FoldedClone(session, clone) as folded:
        scorer, name = folded.scorer(model)
        wanted = folded.complete(pulls) if pulls else folded.recent(recent or DEFAULT_RECENT)
        maker = BriefMaker(scorer)
        return maker.scored(wanted, now=datetime.now(UTC), briefed=explained), name


def riskiest_first(scored: "Sequence[ScoredPull]") -> "list[ScoredPull]":
    """By risk, or by novelty where the model has no risk."""
    return sorted(scored, key=lambda one: (-(one.risk or 0.0), -one.novelty))


def _pulls(
    session: Session,
    references: Sequence[str],
    repositories: Sequence[str],
    recent: int | None,
) -> "list[Pull]":
    if references:
        return [stored(session.store, reference) for reference in references]
    limit = recent or DEFAULT_RECENT
    wanted: Sequence[str | None] = repositories or [None]
    pulls = [pull for name in wanted for pull in session.store.recent(repository=name, limit=limit)]
    if not pulls:
        where = f"of {', '.join(repositories)} " if repositories else ""
        raise NotEnoughDataError(
            f"there is no pull request {where}in the store", hint="run `pullrisk fetch` first"
        )
    return pulls


def stored(store: "PullStore", reference: str) -> "Pull":
    """The pull request of the store with this reference. Raises InputError."""
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise InputError(
            f"{reference!r} names no pull request",
            hint="write owner/name#number, or name a file with --file",
        )
    pull = store.get(found["repository"], int(found["number"]))
    if pull is None:
        raise InputError(
            f"{reference} is not in the store",
            hint="run `pullrisk fetch`, or score it from a file with --file",
        )
    return pull


def _warn(scored: "Sequence[ScoredPull]") -> None:
    from pullrisk.score.result import UNKNOWN_AUTHOR, WARNINGS

    for basis, text in WARNINGS.items():
        _warn_of([one for one in scored if one.basis == basis], text)
    histories = [one for one in scored if one.basis != "no history"]
    _warn_of([one for one in histories if one.author and not one.author_known], UNKNOWN_AUTHOR)
    if any(one.risk is None for one in scored):
        say("the model has no risk: it was trained with too few matured reverts")


def _warn_of(scored: "Sequence[ScoredPull]", text: str) -> None:
    """Say it once of them all, naming the first three."""
    names = [f"{one.repository}#{one.number}" for one in scored]
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        warn(f"{', '.join(names[:3])}{more}: {text}")
