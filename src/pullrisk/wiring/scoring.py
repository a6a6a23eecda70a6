"""Scores on a session, or from a clone alone: its history is folded in a temporary folder."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from pullrisk.errors import NotEnoughDataError
from pullrisk.wiring.fetching import bot_names
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.model.bundle import Bundle
    from pullrisk.pulls.record import Pull
    from pullrisk.pulls.store import PullStore
    from pullrisk.score.scorer import Scorer

OWN = "the home's own model"


class Clone(msgspec.Struct, frozen=True, kw_only=True):
    """A local clone: its folder, its name if origin does not tell it, the branch to read.

    Without `ref` it is the remote's default branch.
    """

    path: Path
    repository: str | None = None
    ref: str | None = None


def make_scorer(session: Session, model: "Bundle | str | None" = None) -> "Scorer":
    """A model, or the one that a reference names, beside the session's lake.

    For the general model, what is usual in each repository that it does not know is measured.
    """
    from pullrisk.model.bundle import Bundle
    from pullrisk.model.general import is_general
    from pullrisk.score.scorer import Scorer
    from pullrisk.wiring.adapters import load_model, operating_points

    bundle = model if isinstance(model, Bundle) else load_model(session.settings, model)
    if is_general(bundle) and session.lake.exists():
        for repository in session.lake.table(["repository"])["repository"].unique().to_pylist():
            if repository not in bundle.metadata.novelty.by_repository:
                bundle = _recalibrated(bundle, session.lake, repository)
    return Scorer(bundle, session.lake, points=operating_points(session.settings))


class FoldedClone:
    """A clone's history, folded into a temporary folder that `close` deletes.

    Neither the store nor the lake of the session is read or written. Raises InputError for a
    folder that is no clone, NotEnoughDataError if no merge in it names a pull request.
    """

    def __init__(self, session: Session, clone: Clone) -> None:
        from pullrisk.lake import Lake
        from pullrisk.pulls.sqlite import SqliteStore

        self._session, self._clone = session, clone
        self._salt = secrets.token_bytes(32)
        self._folder = TemporaryDirectory(prefix="pullrisk-clone-")
        try:
            self.lake = Lake(Path(self._folder.name) / "lake")
            self.store = SqliteStore(Path(self._folder.name) / "pulls.sqlite")
            self.repository = _fold(session, clone, self._salt, self.store, self.lake)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "FoldedClone":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete what was folded."""
        if "store" in vars(self):
            self.store.close()
        self._folder.cleanup()

    def scorer(self, model: str | None = None) -> "tuple[Scorer, str]":
        """A model beside the clone's history, and the model's name for people.

        Without `model` it is the home's own if that knows the repository, else the general one.
        """
        from pullrisk.score.scorer import Scorer
        from pullrisk.wiring.adapters import operating_points

        bundle, name = _model(self._session, model, self.repository)
        points = operating_points(self._session.settings)
        bundle = _recalibrated(bundle, self.lake, self.repository)
        return Scorer(bundle, self.lake, points=points), name

    def recent(self, limit: int) -> "list[Pull]":
        """The clone's latest merged pulls."""
        return list(self.store.recent(repository=self.repository, limit=limit))

    def with_authors(self, pulls: "Sequence[Pull]") -> "list[Pull]":
        """The pulls; the clone's open ones with what their own commits tell of their authors."""
        from pullrisk.fetch.git.open_pulls import with_author
        from pullrisk.fetch.git.program import Git

        git = Git(self._clone.path.expanduser())
        base = git.head(self._clone.ref or git.default_branch())
        git.use_mailmap(base)
        return [
            with_author(git, pull, base=base, salt=self._salt)
            if pull.repository.lower() == self.repository.lower()
            else pull
            for pull in pulls
        ]


def _fold(session: Session, clone: Clone, salt: bytes, store: "PullStore", lake: "Lake") -> str:
    """Fetch and preprocess the clone; the repository's name."""
    from pullrisk.fetch.git.fetch import fetch_git
    from pullrisk.preprocess import preprocess

    name = clone.repository or _name(clone.path)
    fetch_git(
        clone.path.expanduser(),
        store,
        salt=salt,
        progress=session.progress,
        repository=name,
        ref=clone.ref,
        names=bot_names(session.settings),
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
    """The named model, or the home's own where it learnt from this repository, or the general."""
    from pullrisk.model.general import GENERAL, general_bundle, is_general
    from pullrisk.wiring.adapters import load_model

    if reference is not None:
        return load_model(session.settings, reference), f"model {reference}"
    own = load_model(session.settings)
    if not is_general(own) and repository in own.metadata.facts.trained_until:
        return own, OWN
    return general_bundle(), f"the {GENERAL} model"


def _recalibrated(bundle: "Bundle", lake: "Lake", repository: str) -> "Bundle":
    """The model with what is usual among the repository's latest pulls."""
    import numpy as np

    from pullrisk.features import NAMES
    from pullrisk.model.general import USUAL_PULLS

    table = lake.table(list(NAMES), repository=repository)
    table = table.slice(max(0, table.num_rows - USUAL_PULLS))
    x = np.stack([table[name].to_numpy() for name in NAMES], axis=1).astype(np.float32)
    return bundle.recalibrated_for(repository, x)
