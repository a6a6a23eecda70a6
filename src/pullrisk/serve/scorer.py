"""Scores of pull requests from a model and the lake; used by the command line and the service.

A merged pull that the lake has a row of is scored by that row: as of just before its merge.
Every other pull is folded live, by the very method that made the rows.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.errors import LakeError
from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.model.bundle import Band, Bundle
from pullrisk.model.explain import Explanation, explain
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.record import Pull

if TYPE_CHECKING:
    from pullrisk.lake import Lake

Basis = Literal["row", "history", "later history", "no history"]
"""What the features came from: the lake's row of a merged pull; the repository's history; a
history that already knows what followed the pull's merge; none, as for a new repository."""

WARNINGS: Final[dict[Basis, str]] = {
    "later history": "the history is later than the merge: run `pullrisk preprocess`",
    "no history": "unknown repository: scored without any history of it",
}


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """One pull with its answers; `risk` and `band` are None where the model has no risk.

    `risk` is a probability, `novelty` the percentile (0..100) of the reconstruction error
    `novelty_error` among the repository's pulls; `as_of` is the moment whose knowledge the
    features hold.
    """

    repository: str
    number: int
    title: str
    author: str | None
    state: str
    url: str
    updated_at: datetime
    as_of: datetime
    basis: Basis
    risk: float | None
    band: Band | None
    novelty: float
    novelty_error: float
    explanation: Explanation | None = None


class Scorer:
    """A model beside a lake; keeps the histories it has read. `points` replaces the model's."""

    def __init__(
        self, bundle: Bundle, lake: "Lake", *, points: OperatingPoints | None = None
    ) -> None:
        self.bundle = bundle
        self._lake = lake
        self._points = points
        self._histories: dict[str, RepositoryHistory | None] = {}

    def score(self, pulls: Sequence[Pull], *, now: datetime, explained: bool) -> list[Scored]:
        """Score pulls in the order given; an open one as of `now`. Raises LakeError."""
        found: dict[int, Scored] = {}
        places: dict[str, list[int]] = {}
        for place, pull in enumerate(pulls):
            places.setdefault(pull.repository, []).append(place)
        for repository, own in places.items():
            scored = self._score_one(repository, [pulls[place] for place in own], now, explained)
            found.update(zip(own, scored, strict=True))
        return [found[place] for place in range(len(pulls))]

    def _score_one(
        self, repository: str, pulls: list[Pull], now: datetime, explained: bool
    ) -> list[Scored]:
        stored = self._rows(repository, (pull for pull in pulls if pull.merged_at))
        matrix = np.empty((len(pulls), len(NAMES)), np.float32)
        bases: list[Basis] = []
        basis: Basis
        for place, pull in enumerate(pulls):
            row = stored.get(pull.number) if pull.merged_at else None
            if row is None:
                matrix[place], basis = self._live(pull, now)
            else:
                matrix[place], basis = row, "row"
            bases.append(basis)
        scores = self.bundle.score(matrix, repository, points=self._points)
        why: list[Explanation | None] = [None] * len(pulls)
        if explained:
            why = list(explain(self.bundle, matrix, repository))
        return [
            Scored(
                repository=repository,
                number=pull.number,
                title=pull.title,
                author=pull.author,
                state=pull.state,
                url=f"https://github.com/{repository}/pull/{pull.number}",
                updated_at=pull.updated_at,
                as_of=_moment(pull, now),
                basis=bases[place],
                risk=None if scores.risk is None else float(scores.risk[place]),
                band=scores.bands[place] if scores.bands else None,
                novelty=float(scores.novelty[place]),
                novelty_error=float(scores.novelty_error[place]),
                explanation=why[place],
            )
            for place, pull in enumerate(pulls)
        ]

    def _live(self, pull: Pull, now: datetime) -> tuple[list[float], Basis]:
        history = self._history(pull.repository)
        moment = _moment(pull, now)
        if history is None:
            return RepositoryHistory(pull.repository).features(pull, as_of=moment), "no history"
        late = history.as_of is not None and pull.event_at is not None and moment <= history.as_of
        return history.features(pull, as_of=moment), "later history" if late else "history"

    def _history(self, repository: str) -> RepositoryHistory | None:
        if repository not in self._histories:
            saved = self._lake.history(repository) if self._lake.exists() else None
            self._histories[repository] = _restore(repository, saved) if saved else None
        return self._histories[repository]

    def _rows(self, repository: str, merged: Iterable[Pull]) -> dict[int, NDArray[np.float32]]:
        """The lake's rows of merged pulls, by number."""
        wanted = {pull.number for pull in merged}
        if not wanted or not self._lake.exists():
            return {}
        table = self._lake.table(["number", *NAMES], repository=repository)
        numbers = table["number"].to_numpy()
        places = np.flatnonzero(np.isin(numbers, list(wanted)))
        chosen = table.take(places)
        matrix = np.stack([chosen[name].to_numpy() for name in NAMES], axis=1)
        return dict(zip(numbers[places].tolist(), matrix, strict=True))


def _moment(pull: Pull, now: datetime) -> datetime:
    return pull.event_at or now


def _restore(repository: str, saved: bytes) -> RepositoryHistory:
    try:
        return RepositoryHistory.load(saved)
    except ValueError as error:
        raise LakeError(
            f"the history of {repository} cannot be used: {error}",
            hint="run `pullrisk preprocess`: it rebuilds this repository",
        ) from error
