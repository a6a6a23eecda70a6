"""Scores of pull requests from a model and what is folded; for the command line and the service.

A merged pull that has a row in the lake, or in a clone's folder, is scored by that row: as of
just before its merge. Every other pull is folded live, by the very method that made the rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.features.history import ROW
from pullrisk.features.pull_text import text_of
from pullrisk.model.bundle import Bundle
from pullrisk.model.categories import answers
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.record import Pull
from pullrisk.score.folded import Folded
from pullrisk.score.history_cache import CachedHistory, HistoryCache
from pullrisk.score.result import GITHUB, Basis, Score, State

Rows = Mapping[tuple[str, int], NDArray[np.float32]]
"""Rows of merged pulls, by repository and number."""


_AUTHOR_NEW: Final = NAMES.index("author_new")


class ScoredRow(NamedTuple):
    """A score, and the row of features [d] that it is of."""

    score: Score
    row: NDArray[np.float32]


class HistorySource(Protocol):
    """Where histories come from: `HistoryCache`, or what was read before."""

    def get(self, repository: str) -> CachedHistory:
        """The history of a repository. Raises LakeError."""


class Scorer:
    """A model beside what is folded; keeps the histories it has read.

    `points` replaces the model's; repositories lie below the address `site`.
    """

    def __init__(
        self,
        bundle: Bundle,
        folded: Folded,
        *,
        points: OperatingPoints | None = None,
        histories: HistorySource | None = None,
        site: str = GITHUB,
    ) -> None:
        self.bundle = bundle
        self.points, self.site = points, site
        self.histories: HistorySource = histories or HistoryCache(folded)
        self._folded = folded

    def score(
        self, pulls: Sequence[Pull], *, now: datetime, rows: Rows | None = None
    ) -> list[Score]:
        """Score pulls in the order given; an open one as of `now`. Raises LakeError.

        `rows` are what `rows_of` returned; they are read here unless given.
        """
        return [each.score for each in self.score_rows(pulls, now=now, rows=rows)]

    def score_rows(
        self, pulls: Sequence[Pull], *, now: datetime, rows: Rows | None = None
    ) -> list[ScoredRow]:
        """As `score`, with the rows that the scores are of."""
        known = self.rows_of(pulls) if rows is None else rows
        if len(pulls) == 1:
            return self._score_repository(pulls[0].repository, list(pulls), known, now)
        by_place: dict[int, ScoredRow] = {}
        places: dict[str, list[int]] = {}
        for place, pull in enumerate(pulls):
            places.setdefault(pull.repository, []).append(place)
        for repository, own in places.items():
            scored = self._score_repository(repository, [pulls[place] for place in own], known, now)
            by_place.update(zip(own, scored, strict=True))
        return [by_place[place] for place in range(len(pulls))]

    def rows_of(self, pulls: Iterable[Pull]) -> Rows:
        """The rows that are folded of the merged ones among them. Raises LakeError."""
        merged: dict[str, set[int]] = {}
        for pull in pulls:
            if pull.merged_at:
                merged.setdefault(pull.repository, set()).add(pull.number)
        if not merged or not self._folded.exists():
            return {}
        return {
            (repository, number): row
            for repository, numbers in merged.items()
            for number, row in zip(*self._folded.rows(repository, numbers), strict=True)
        }

    def _score_repository(
        self, repository: str, pulls: list[Pull], rows: Rows, now: datetime
    ) -> list[ScoredRow]:
        values = bytearray()
        bases: list[Basis] = []
        for pull in pulls:
            row = rows.get((repository, pull.number)) if pull.merged_at else None
            if row is None:
                live, basis = self._live(pull, now)
                values += ROW.pack(*live)
            else:
                values += row.tobytes()
                basis = "row"
            bases.append(basis)
        matrix = np.frombuffer(values, np.float32).reshape(len(pulls), len(NAMES))
        authors_known = (~np.isnan(matrix[:, _AUTHOR_NEW])).tolist()
        return [
            ScoredRow(
                Score(
                    repository=pull.repository,
                    number=pull.number,
                    title=pull.title,
                    author=pull.author,
                    state=_state(pull),
                    url=f"{self.site}/{pull.repository}/pull/{pull.number}",
                    updated_at=pull.updated_at,
                    as_of=_moment(pull, now),
                    basis=basis,
                    author_known=author_known,
                    **answers,
                ),
                row,
            )
            for pull, basis, author_known, answers, row in zip(
                pulls, bases, authors_known, self._answers(repository, pulls, matrix), matrix,
                strict=True,
            )
        ]  # fmt: skip

    def _answers(
        self, repository: str, pulls: Sequence[Pull], matrix: NDArray[np.float32]
    ) -> Iterator[dict[str, Any]]:
        """What the model says of each pull and its row [d], as fields of its Score."""
        metadata = self.bundle.metadata
        texts = [*map(text_of, pulls)]
        scores = self.bundle.score(matrix, repository, points=self.points, texts=texts)
        columns: dict[str, Sequence[object] | None] = {
            "risk": _listed(scores.risk),
            "repair": _listed(scores.repair),
            "revert": _listed(scores.revert),
            "band": scores.bands or None,
            "novelty": _listed(scores.novelty),
            "novelty_error": _listed(scores.novelty_error),
            "percentile": None,
            "category": None,
            "pattern": None,
        }
        if scores.risk is not None:
            columns["percentile"] = _listed(metadata.risk.percentile(scores.risk, repository))
        if scores.category is not None:
            columns["category"] = answers(metadata.categories, scores.category, texts)
        if metadata.patterns is not None:
            patterns = metadata.patterns.each
            nearest = metadata.patterns.of(scores.code).tolist()
            columns["pattern"] = [patterns[place].name for place in nearest]
        unknown = [None] * len(pulls)
        rows = zip(*(column or unknown for column in columns.values()), strict=True)
        return (dict(zip(columns, row, strict=True)) for row in rows)

    def _live(self, pull: Pull, now: datetime) -> tuple[list[float], Basis]:
        history = self.histories.get(pull.repository).history
        moment = _moment(pull, now)
        if history is None:
            return RepositoryHistory(pull.repository).features(pull, as_of=moment), "no history"
        late = history.as_of is not None and pull.event_at is not None and moment <= history.as_of
        return history.features(pull, as_of=moment), "later history" if late else "history"


def _listed(values: NDArray[np.float64] | None) -> list[float] | None:
    """As Python's own numbers."""
    return None if values is None else values.tolist()


def _state(pull: Pull) -> State:
    if pull.merged_at is not None:
        return "merged"
    return "open" if pull.closed_at is None else "closed"


def _moment(pull: Pull, now: datetime) -> datetime:
    return pull.event_at or now
