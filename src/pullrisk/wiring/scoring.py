"""Scores on a session, or from a clone alone, whose folded history is kept in the home."""

import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from pullrisk.errors import NotEnoughDataError, StoreError
from pullrisk.repository_config.globs import NO_PATHS, PathGlobs
from pullrisk.wiring.adapters import bot_names, github_site, home_salt, load_model, operating_points
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    from pullrisk.fetch.git.program import Git
    from pullrisk.model.bundle import Bundle
    from pullrisk.model.metadata import OperatingPoints
    from pullrisk.pulls.record import Pull
    from pullrisk.pulls.sqlite import SqliteStore
    from pullrisk.score.folded import Folded, FoldedFolder
    from pullrisk.score.scorer import Scorer
    from pullrisk.wiring.clone_cache import CachedClone
    from pullrisk.wiring.clone_diffs import CloneDiffs

OWN = "the home's own model"


class Clone(msgspec.Struct, frozen=True, kw_only=True):
    """A local clone: its folder, its name if origin does not tell it, the branch to read.

    Without `ref` it is the remote's default branch. Paths that are `excluded` count nowhere. With
    `branches` briefs name unmerged ones that change the same files.
    """

    path: Path
    repository: str | None = None
    ref: str | None = None
    excluded: PathGlobs = NO_PATHS
    branches: bool = False

    def git(self) -> "Git":
        """The git that reads it. Raises InputError for a folder that is no clone."""
        from pullrisk.fetch.git.program import Git

        return Git(self.path.expanduser(), excluded=self.excluded)


def make_scorer(session: Session, model: "Bundle | str | None" = None) -> "Scorer":
    """A model, or the one that a reference names, beside the session's lake.

    For the general model, what is usual in each repository that it does not know is measured.
    """
    from pullrisk.model.bundle import Bundle
    from pullrisk.model.general import is_general
    from pullrisk.score.scorer import Scorer

    bundle = model if isinstance(model, Bundle) else load_model(session.settings, model)
    if is_general(bundle) and session.lake.exists():
        for repository in session.lake.table(["repository"])["repository"].unique().to_pylist():
            if repository not in bundle.metadata.novelty.by_repository:
                bundle = _recalibrated(bundle, session.lake, repository)
    settings = session.settings
    return Scorer(
        bundle, session.lake, points=operating_points(settings), site=github_site(settings)
    )


class FoldedClone:
    """A clone's history, folded into a folder of the home, where the next run goes on from it.

    If the home cannot be written, or others are using an earlier state, the folder is a temporary
    one. Neither the store nor the lake of the session is read or written. Raises InputError for a
    folder that is no clone, NotEnoughDataError if no merge in it names a pull request.
    """

    def __init__(self, session: Session, clone: Clone) -> None:
        self._session, self._clone, self._open = session, clone, ExitStack()
        try:
            self.repository, cached = _cached(session, clone)
            self._is_cached = cached is not None
            if cached is None:
                folder = TemporaryDirectory(prefix="pullrisk-clone-")
                path, self._salt = Path(self._open.enter_context(folder)), secrets.token_bytes(32)
            else:
                path, self._salt = cached.path, home_salt(session.settings)
                self._open.callback(cached.close)
            self._lines = path / "lines"
            self.store, self.history = _open_folder(path, self.repository)
            if cached is None or not cached.complete:
                self._fold(cached)
                self.store.close()  # no log beside the file, but all in it
                self.store, _ = _open_folder(path, self.repository)
            if cached is not None and not cached.complete:
                cached.seal()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "FoldedClone":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of what was folded, and delete it if it is not kept."""
        if "store" in vars(self):
            self.store.close()
        self._open.close()

    def scorer(
        self, model: str | None = None, *, points: "OperatingPoints | None" = None
    ) -> "tuple[Scorer, str]":
        """A model beside the clone's history, and the model's name for people.

        Without `model` it is the home's own if that knows the repository, else the general one;
        without `points` the bands are the settings'.
        """
        from pullrisk.score.scorer import Scorer

        settings = self._session.settings
        bundle, name = _model(self._session, model, self.repository)
        points = points or operating_points(settings)
        bundle = _recalibrated(bundle, self.history, self.repository)
        return Scorer(bundle, self.history, points=points, site=github_site(settings)), name

    @property
    def lack(self) -> str | None:
        """What the clone lacks, so that less can be told; None if it is whole."""
        from pullrisk.fetch.git.fetch import NO_CONTENTS

        return NO_CONTENTS if self._clone.git().is_partial() else None

    @property
    def unkept(self) -> str | None:
        """Why the next run will read the clone again; None if it need not."""
        if self._is_cached:
            return None
        reason = f"{self._session.settings.home} cannot be written, or another process is using it"
        return f"what was read of the clone is not kept: {reason}"

    def recent(self, limit: int) -> "list[Pull]":
        """The clone's latest merged pulls."""
        return list(self.store.recent(repository=self.repository, limit=limit))

    def complete(self, pulls: "Sequence[Pull]") -> "list[Pull]":
        """The pulls; the clone's open ones with what their own commits tell.

        That is who their authors are, which files and lines they change, and whose lines.
        """
        from pullrisk.fetch.git.open_lines import with_lines
        from pullrisk.fetch.git.open_pulls import with_author

        git = self._clone.git()
        base = git.head(self._clone.ref or git.default_branch())
        git.use_mailmap(base)
        completed = []
        for pull in pulls:
            if pull.event_at is None and pull.repository.lower() == self.repository.lower():
                pull = with_author(git, pull, base=base, salt=self._salt)
                pull = with_lines(git, pull, base=base, numbers=self._numbers)
            completed.append(pull)
        return completed

    def diffs(self) -> "CloneDiffs":
        """The clone as briefs ask it about lines and unmerged branches."""
        from pullrisk.wiring.clone_diffs import CloneDiffs

        git = self._clone.git()
        base = git.head(self._clone.ref or git.default_branch())
        return CloneDiffs(
            git, base=base, numbers=lambda: self._numbers, branches=self._clone.branches
        )

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """The pulls and pushes by the commit that merged each."""
        return self.store.merges(self.repository)

    def _fold(self, cached: "CachedClone | None") -> None:
        """Fetch and fold what is new in the clone."""
        from pullrisk.fetch.git.fetch import fetch_git

        clone, progress = self._clone, self._session.progress
        try:
            fetch_git(
                clone.git(),
                self.store,
                salt=self._salt,
                progress=progress,
                repository=self.repository,
                ref=clone.ref,
                names=bot_names(self._session.settings),
                lines=self._lines,
            )
        except KeyboardInterrupt:
            if cached is not None:
                self._keep_part(cached)
            raise
        if not self.recent(1):
            raise NotEnoughDataError(
                f"no commit of {clone.path} names a pull request that it merged",
                hint="merges and squashes as GitHub writes them are read; is --ref the right "
                "branch?",
            )
        self.history.fold(self.store, progress)

    def _keep_part(self, cached: "CachedClone") -> None:
        """Keep what was read up to the last checkpoint, from where the next run goes on."""
        from pullrisk.fetch.git.fetch import checkpoint_key

        branch = self._clone.ref or self._clone.git().default_branch()
        saved = self.store.checkpoint(checkpoint_key(self.repository, branch)) or {}
        commit = saved.get("commit")
        if isinstance(commit, str):
            self.store.close()
            cached.seal(commit)


def _open_folder(path: Path, repository: str) -> "tuple[SqliteStore, FoldedFolder]":
    from pullrisk.pulls.sqlite import SqliteStore
    from pullrisk.score.folded import FoldedFolder

    path = path.absolute()  # a notebook may change its folder
    return SqliteStore(path / "pulls.sqlite"), FoldedFolder(path / "history", repository)


def name_of(clone: Clone) -> str:
    """The name of the clone's repository; a made-up one if nothing tells it."""
    folder = clone.path.expanduser().resolve().name.replace(" ", "-")
    return clone.repository or clone.git().github_name() or f"local/{folder}"


def _cached(session: Session, clone: Clone) -> "tuple[str, CachedClone | None]":
    """The clone's name, and its folder in the home; None if it has none that can be used."""
    from pullrisk import __version__
    from pullrisk.features import SCHEMA_HASH
    from pullrisk.fetch.git.fetch import READER
    from pullrisk.score.folded import FORM
    from pullrisk.wiring.clone_cache import CachedClone, Identity, make_home

    git = clone.git()
    name = name_of(clone)
    branch = clone.ref or git.default_branch()
    head = git.head(branch)

    def descends(commit: str) -> bool:
        return git.ask("merge-base", "--is-ancestor", commit, head) is not None

    home = session.settings.home
    try:
        make_home(home)
        identity = Identity(
            repository=name,
            path=_printable(str(git.shared)),
            ref=_printable(branch),
            version=__version__,
            schema=f"{SCHEMA_HASH} {FORM}",
            reader=" ".join(
                (str(READER), bot_names(session.settings).fingerprint(), *clone.excluded.patterns)
            ),
            salt=sha256(home_salt(session.settings)).hexdigest()[:16],
        )
        return name, CachedClone.open(home, identity, head, descends=descends)
    except (OSError, StoreError):
        return name, None


def _printable(text: str) -> str:
    """The text without surrogates, of which odd bytes in file names are made."""
    return text.encode(errors="backslashreplace").decode()


def _model(session: Session, reference: str | None, repository: str) -> "tuple[Bundle, str]":
    """The named model, or the home's own where it learnt from this repository, or the general."""
    from pullrisk.model.general import GENERAL, general_bundle, is_general

    if reference is not None:
        return load_model(session.settings, reference), f"model {reference}"
    home_model = load_model(session.settings)
    if not is_general(home_model) and repository in home_model.metadata.facts.trained_until:
        return home_model, OWN
    return general_bundle(), f"the {GENERAL} model"


def _recalibrated(bundle: "Bundle", folded: "Folded", repository: str) -> "Bundle":
    """The model with what is usual among the repository's latest pulls."""
    from pullrisk.model.general import USUAL_PULLS

    _, rows = folded.rows(repository)
    return bundle.recalibrated_for(repository, rows[-USUAL_PULLS:])
