"""Scores of pull requests from a model and what is folded; for the command line and the service.

A merged pull that has a row in the lake, or in a clone's folder, is scored by that row: as of
just before its merge. Every other pull is folded live, by the very method that made the rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.features.history import ROW
from pullrisk.features.pull_text import PullText, text_of
from pullrisk.model.bundle import Band, Bundle, Scores
from pullrisk.model.categories import Category, answers
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.record import Pull
from pullrisk.score.folded import Folded
from pullrisk.score.history_cache import CachedHistory, HistoryCache
from pullrisk.score.result import GITHUB, Basis, Score, State

Rows = Mapping[tuple[str, int], NDArray[np.float32]]
"""Rows of merged pulls, by repository and number."""


_AUTHOR_NEW: Final = NAMES.index("author_new")


class Judged(NamedTuple):
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
        return [each.score for each in self.judge(pulls, now=now, rows=rows)]

    def judge(
        self, pulls: Sequence[Pull], *, now: datetime, rows: Rows | None = None
    ) -> list[Judged]:
        """As `score`, with the rows that the scores are of."""
        known = self.rows_of(pulls) if rows is None else rows
        if len(pulls) == 1:
            return self._judge_one(pulls[0].repository, list(pulls), known, now)
        by_place: dict[int, Judged] = {}
        places: dict[str, list[int]] = {}
        for place, pull in enumerate(pulls):
            places.setdefault(pull.repository, []).append(place)
        for repository, own in places.items():
            judged = self._judge_one(repository, [pulls[place] for place in own], known, now)
            by_place.update(zip(own, judged, strict=True))
        return [by_place[place] for place in range(len(pulls))]

    def rows_of(self, pulls: Iterable[Pull]) -> Rows:
        """The rows that are folded of the merged ones among them. Raises LakeError."""
        wanted: dict[str, set[int]] = {}
        for pull in pulls:
            if pull.merged_at:
                wanted.setdefault(pull.repository, set()).add(pull.number)
        if not wanted or not self._folded.exists():
            return {}
        return {
            (repository, number): row
            for repository, numbers in wanted.items()
            for number, row in zip(*self._folded.rows(repository, numbers), strict=True)
        }

    def _judge_one(
        self, repository: str, pulls: list[Pull], rows: Rows, now: datetime
    ) -> list[Judged]:
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
        said = [*map(text_of, pulls)]
        scores = self.bundle.score(matrix, repository, points=self.points, said=said)
        numbers = _answers(self.bundle, scores, repository)
        work = _work(self.bundle, scores, said)
        authors = (~np.isnan(matrix[:, _AUTHOR_NEW])).tolist()
        scored = [
            _score_of(pull, answer, work=kind, known=known, now=now, site=self.site)
            for pull, answer, kind, known in zip(
                pulls, numbers, work, zip(bases, authors, strict=True), strict=True
            )
        ]
        return [*map(Judged, scored, matrix)]

    def _live(self, pull: Pull, now: datetime) -> tuple[list[float], Basis]:
        history = self.histories.get(pull.repository).history
        moment = _moment(pull, now)
        if history is None:
            return RepositoryHistory(pull.repository).features(pull, as_of=moment), "no history"
        late = history.as_of is not None and pull.event_at is not None and moment <= history.as_of
        return history.features(pull, as_of=moment), "later history" if late else "history"


_Probability: TypeAlias = float | None
_Answer: TypeAlias = tuple[
    _Probability, _Probability, _Probability, Band | None, float | None, float, float
]


def _answers(bundle: Bundle, scores: Scores, repository: str) -> Iterator[_Answer]:
    """Risk, repair, revert, band, percentile, novelty and its error of each pull, as Python's own
    numbers.
    """
    count = len(scores.novelty)
    unknown: Sequence[float | None] = [None] * count
    chances = (scores.risk, scores.repair, scores.revert)
    told = (unknown if chance is None else chance.tolist() for chance in chances)
    percentile = unknown
    if scores.risk is not None:
        percentile = bundle.metadata.risk.percentile(scores.risk, repository).tolist()
    bands = scores.bands or [None] * count
    novelty = scores.novelty.tolist(), scores.novelty_error.tolist()
    return zip(*told, bands, percentile, *novelty, strict=True)


_Work: TypeAlias = tuple[Category | None, str | None]


def _work(bundle: Bundle, scores: Scores, said: Sequence[PullText]) -> list[_Work]:
    """Category and pattern of each pull."""
    metadata = bundle.metadata
    categories: Sequence[Category | None] = [None] * len(said)
    patterns: Sequence[str | None] = [None] * len(said)
    if scores.category is not None:
        categories = answers(metadata.categories, scores.category, said)
    if metadata.patterns is not None:
        each = metadata.patterns.each
        patterns = [each[place].name for place in metadata.patterns.of(scores.code).tolist()]
    return list(zip(categories, patterns, strict=True))


def _score_of(
    pull: Pull,
    answer: _Answer,
    *,
    work: _Work,
    known: tuple[Basis, bool],
    now: datetime,
    site: str,
) -> Score:
    risk, repair, revert, band, percentile, novelty, error = answer
    return Score(
        repository=pull.repository,
        number=pull.number,
        title=pull.title,
        author=pull.author,
        state=_state(pull),
        url=f"{site}/{pull.repository}/pull/{pull.number}",
        updated_at=pull.updated_at,
        as_of=_moment(pull, now),
        basis=known[0],
        author_known=known[1],
        risk=risk,
        repair=repair,
        revert=revert,
        band=band,
        percentile=percentile,
        novelty=novelty,
        novelty_error=error,
        category=work[0],
        pattern=work[1],
    )


def _state(pull: Pull) -> State:
    if pull.merged_at is not None:
        return "merged"
    return "open" if pull.closed_at is None else "closed"


def _moment(pull: Pull, now: datetime) -> datetime:
    return pull.event_at or now
