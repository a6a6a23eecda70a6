"""Scores on a session, or from a clone alone: its history is folded in a temporary folder."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from pullrisk.errors import NotEnoughDataError
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.model.bundle import Bundle
    from pullrisk.pulls.record import Pull
    from pullrisk.pulls.store import PullStore
    from pullrisk.score.scorer import Scored, Scorer

OWN = "the last trained model"
USUAL_PULLS = 2_000
"""How many of the clone's latest pulls say what is usual in it."""


class Clone(msgspec.Struct, frozen=True, kw_only=True):
    """A local clone: where it is, its name where origin does not say it, what was merged into."""

    path: Path
    repository: str | None = None
    ref: str = "HEAD"


def make_scorer(session: Session, bundle: "Bundle") -> "Scorer":
    """A model beside the session's lake, with the bands of its settings."""
    from pullrisk.score.scorer import Scorer
    from pullrisk.wiring.adapters import operating_points

    return Scorer(bundle, session.lake, points=operating_points(session.settings))


def score(
    session: Session, pulls: "Sequence[Pull]", *, model: str | None = None, explained: bool = True
) -> "list[Scored]":
    """Score pulls with a model and the histories of the session's lake."""
    from pullrisk.wiring.adapters import load_model

    scorer = make_scorer(session, load_model(session.settings, model))
    return scorer.score(pulls, now=datetime.now(UTC), explained=explained)


def score_clone(
    session: Session,
    clone: Clone,
    *,
    pulls: "Sequence[Pull]" = (),
    recent: int,
    model: str | None,
    explained: bool,
) -> "tuple[list[Scored], str]":
    """Scores of `pulls`, or else of the clone's `recent` latest, and the model's name.

    Neither the store nor the lake of the session is read or written. Raises InputError for a
    folder that is no clone, NotEnoughDataError where no merge in it names a pull request.
    """
    from pullrisk.lake import Lake
    from pullrisk.pulls.sqlite import SqliteStore
    from pullrisk.score.scorer import Scorer
    from pullrisk.wiring.adapters import operating_points

    with TemporaryDirectory(prefix="pullrisk-score-") as folder:
        lake = Lake(Path(folder) / "lake")
        with SqliteStore(Path(folder) / "pulls.sqlite") as store:
            repository = _fold(session, clone, store, lake)
            wanted = list(pulls) or list(store.recent(repository=repository, limit=recent))
        bundle, name = _model(session, model, repository)
        points = operating_points(session.settings)
        scorer = Scorer(_at_home(bundle, lake, repository), lake, points=points)
        return scorer.score(wanted, now=datetime.now(UTC), explained=explained), name


def _fold(session: Session, clone: Clone, store: "PullStore", lake: "Lake") -> str:
    """Fetch and preprocess the clone; the repository's name."""
    from pullrisk.fetch.git.fetch import fetch_git
    from pullrisk.preprocess import preprocess

    name = clone.repository or _name(clone.path)
    fetch_git(
        clone.path.expanduser(),
        store,
        salt=secrets.token_bytes(32),
        progress=session.progress,
        repository=name,
        ref=clone.ref,
    )
    report = preprocess(store, lake, workers=1, progress=session.progress)
    if not report.rows:
        raise NotEnoughDataError(
            f"no commit of {clone.path} names a pull request that it merged",
            hint="merges and squashes as GitHub writes them are read; is --ref the right branch?",
        )
    return name


def _name(path: Path) -> str:
    """The name that origin has on GitHub, or else one made of the folder's."""
    from pullrisk.fetch.git.program import Git

    path = path.expanduser()
    return Git(path).github_name() or f"local/{path.resolve().name.replace(' ', '-')}"


def _model(session: Session, reference: str | None, repository: str) -> "tuple[Bundle, str]":
    """The named model, or the last trained where it learnt from this repository, or the general."""
    from pullrisk.model.general import GENERAL, general_bundle
    from pullrisk.wiring.adapters import MODEL_FILE, load_model

    if reference is not None:
        return load_model(session.settings, reference), f"model {reference}"
    if (session.settings.home / MODEL_FILE).exists():
        own = load_model(session.settings)
        if repository in own.metadata.facts.trained_until:
            return own, OWN
    return general_bundle(), f"the {GENERAL} model"


def _at_home(bundle: "Bundle", lake: "Lake", repository: str) -> "Bundle":
    import numpy as np

    from pullrisk.features import NAMES
    from pullrisk.model.adapt import at_home

    table = lake.table(list(NAMES), repository=repository).slice(
        max(0, lake.table(["number"]).num_rows - USUAL_PULLS)
    )
    x = np.stack([table[name].to_numpy() for name in NAMES], axis=1).astype(np.float32)
    return at_home(bundle, repository, x)
