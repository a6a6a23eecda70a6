"""What a notebook or a script uses: pulls of a home folder or a clone, scored, and their features.

The names are exported by `pullrisk` itself, which imports this module when one is first used.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pullrisk.features import NAMES
from pullrisk.pulls.record import Pull
from pullrisk.score.result import Score
from pullrisk.settings import load
from pullrisk.wiring.fetching import read_pulls
from pullrisk.wiring.scoring import Clone as _Clone
from pullrisk.wiring.scoring import FoldedClone, make_scorer
from pullrisk.wiring.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

    from pullrisk.brief.result import Brief
    from pullrisk.score.scorer import Scorer

__all__ = ["Clone", "Home", "Pull", "Score", "open_clone", "open_home", "read_pulls"]

_KEYS = ("repository", "number", "merged_at", "author")


class Home:
    """A home folder: its pull store, its lake and its models. Close it, or use it in a `with`."""

    def __init__(self, session: Session, model: str | None) -> None:
        self._session, self._model = session, model

    def __enter__(self) -> "Home":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store."""
        self._session.close()

    def repositories(self) -> list[str]:
        """The repositories of the store, by name."""
        return [summary.repository for summary in self._session.store.repositories()]

    def pulls(self, *, recent: int = 20, repository: str | None = None) -> list[Pull]:
        """The latest pulls of the store, or of one repository."""
        return list(self._session.store.recent(repository=repository, limit=recent))

    def score(
        self,
        pulls: Sequence[Pull] | None = None,
        *,
        recent: int = 20,
        repository: str | None = None,
    ) -> list[Score]:
        """Scores of `pulls`, or of the `recent` latest.

        A merged pull is scored with what was known just before its merge, an open one with what
        is known now. Raises ModelError without a model, LakeError for an unreadable lake.
        """
        if pulls is None:
            pulls = self.pulls(recent=recent, repository=repository)
        return self._scorer.score(pulls, now=datetime.now(UTC))

    def briefs(
        self,
        pulls: Sequence[Pull] | None = None,
        *,
        recent: int = 20,
        repository: str | None = None,
    ) -> "list[Brief]":
        """As `score`, but all that can be told of each: reasons, places to look at, people."""
        if pulls is None:
            pulls = self.pulls(recent=recent, repository=repository)
        return _briefs(self._scorer, pulls)

    def features(self, *, repository: str | None = None) -> "pa.Table":
        """One row for each merged pull of the lake: repository, number, merged_at, author, and
        the features that docs/features.md lists. Raises NotEnoughDataError without a lake.
        """
        return self._session.lake.table([*_KEYS, *NAMES], repository=repository)

    @cached_property
    def _scorer(self) -> "Scorer":
        return make_scorer(self._session, self._model)


class Clone:
    """A clone, its folded history kept in the home. Close it, or use it in a `with`."""

    def __init__(self, folded: FoldedClone, model: str | None) -> None:
        self._folded, self._reference = folded, model

    def __enter__(self) -> "Clone":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the folded history, so that another process may go on from it."""
        self._folded.close()

    @property
    def repository(self) -> str:
        """The name: as it was given, as origin has it on GitHub, or `local/` and the folder's."""
        return self._folded.repository

    @property
    def model(self) -> str:
        """Which model scores, for people."""
        return self._scorer[1]

    def pulls(self, *, recent: int = 20) -> list[Pull]:
        """The latest pull requests that were merged into the branch."""
        return self._folded.recent(recent)

    def score(self, pulls: Sequence[Pull] | None = None, *, recent: int = 20) -> list[Score]:
        """Scores of `pulls`, or of the `recent` latest merges.

        Where the clone has the commits of an open pull, its author is also known by their
        addresses, and what it changes line by line.
        """
        pulls = self.pulls(recent=recent) if pulls is None else self._folded.complete(pulls)
        return self._scorer[0].score(pulls, now=datetime.now(UTC))

    def briefs(self, pulls: Sequence[Pull] | None = None, *, recent: int = 20) -> "list[Brief]":
        """As `score`, but all that can be told of each: reasons, places to look at, people."""
        pulls = self.pulls(recent=recent) if pulls is None else self._folded.complete(pulls)
        return _briefs(self._scorer[0], pulls)

    def features(self) -> "pa.Table":
        """One row for each merged pull, as `Home.features`.

        Raises MissingExtraError without the extra `lake`, which brings pyarrow.
        """
        from pullrisk.lake.schema import table_of

        events = self._folded.store.events(self.repository)
        merged = {pull.number: pull for pull in events if pull.merged_at and not pull.is_push}
        numbers, rows = self._folded.history.rows(self.repository)
        pulls = [merged[number] for number in numbers]
        columns = [
            [self.repository] * len(pulls),
            numbers,
            [pull.merged_at for pull in pulls],
            [pull.author for pull in pulls],
            *rows.T,
        ]
        return table_of(columns, [*_KEYS, *NAMES])

    @cached_property
    def _scorer(self) -> "tuple[Scorer, str]":
        return self._folded.scorer(self._reference)


def open_home(path: str | Path | None = None, *, model: str | None = None) -> Home:
    """The home folder at `path`, else the one of the settings (PULLRISK_HOME; .pullrisk).

    `model` is a file, a registered version (`3`) or alias (`@champion`), or `general`; without
    it that of the home scores. Raises SettingsError.
    """
    return Home(Session(load(home=path)), model)


def open_clone(
    path: str | Path,
    *,
    repository: str | None = None,
    ref: str | None = None,
    model: str | None = None,
) -> Clone:
    """A local clone, read from the commits of `ref`; takes seconds for some thousand commits.

    Without `model` the home's own scores if it knows the repository, else the general one.
    Raises InputError for a folder that is no clone, NotEnoughDataError if no merge in it names a
    pull request.
    """
    clone = _Clone(path=Path(path), repository=repository, ref=ref)
    return Clone(FoldedClone(Session(load()), clone), model)


def _briefs(scorer: "Scorer", pulls: Sequence[Pull]) -> "list[Brief]":
    from pullrisk.brief.make import BriefMaker

    return BriefMaker(scorer).briefs(pulls, now=datetime.now(UTC))
