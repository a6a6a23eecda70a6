"""Scores for the API: reads what is missing, then scores on the event loop, a slice at a time."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.brief.index import index_of
from pullrisk.brief.make import BriefMaker, Diffs
from pullrisk.brief.result import Brief, Reason
from pullrisk.brief.verdict import UNREACHABLE
from pullrisk.errors import PullriskError
from pullrisk.model.bundle import Bundle
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.lines import UnmergedWork
from pullrisk.pulls.record import Pull
from pullrisk.score.history_cache import CachedHistory, give_back_memory
from pullrisk.score.result import Score
from pullrisk.score.scorer import Rows, ScoredRow, Scorer
from pullrisk.serve import shapes

if TYPE_CHECKING:
    from pullrisk.serve.service import Service

Detail: TypeAlias = Literal["scores", "reasons", "briefs"]
"""What is told of each pull: its score alone, its reasons too, or its whole brief."""

_SIZES: Final[dict[Detail, int]] = {"scores": 32, "reasons": 8, "briefs": 2}
"""Pulls that are scored before others get their turn: some milliseconds."""
_SLICE_FILES: Final = 1_000
"""Files after which a slice ends early; a pull is never divided."""
_DAY: Final = 86_400.0
_ABSENT: Final = CachedHistory(None, None)


class ReadHistories(msgspec.Struct, frozen=True):
    """Histories read before scoring, so that scoring never waits; some could not be read."""

    by_repository: dict[str, CachedHistory]
    unreachable: frozenset[str]

    def get(self, repository: str) -> CachedHistory:
        """As `HistoryCache.get`, from what was read."""
        return self.by_repository[repository]


class _Inputs(NamedTuple):
    """What is read before pulls are scored; `works` are the open pulls beside them."""

    histories: ReadHistories
    rows: Rows
    works: Mapping[str, Sequence[UnmergedWork]]


async def score(
    service: "Service",
    pulls: Sequence[Pull],
    *,
    detail: Detail,
    counted: bool = True,
    points: OperatingPoints | None = None,
    diffs: Diffs | None = None,
) -> list[shapes.Score]:
    """Score pulls in the order given, all with the model that is loaded when this begins.

    `points` replace the service's own, `diffs` are those of the pulls where somebody knows their
    lines.
    """
    bundle, now = service.loaded.bundle, datetime.now(UTC)
    scores: list[shapes.Score] = []
    for part in _slices(pulls, _SIZES[detail]):
        if scores:
            await asyncio.sleep(0)
        inputs = await _read(service, part, detail)
        scorer = _scorer(service, bundle, inputs.histories, points)
        maker = BriefMaker(scorer, diffs)
        with service.part("score"):
            answers = [
                _answer(maker, pull, scored, inputs.works, detail, now)
                for pull, scored in zip(
                    part, scorer.score_rows(part, now=now, rows=inputs.rows), strict=True
                )
            ]
        histories = _states(inputs.histories, now, stale=service.lake_fault is not None)
        scores += [_to_shape(each, histories, inputs.histories.unreachable) for each in answers]
    if counted:
        _count(service, scores)
    return scores


class BriefAndRow(NamedTuple):
    """The brief of one pull, and the row of features [d] that it is of."""

    brief: Brief
    row: NDArray[np.float32]


async def examine(service: "Service", pull: Pull, *, now: datetime) -> BriefAndRow:
    """The brief of a pull beside the open ones of its repository, with what it is made from."""
    inputs = await _read(service, [pull], "briefs")
    scorer = _scorer(service, service.loaded.bundle, inputs.histories)
    with service.part("score"):
        (scored,) = scorer.score_rows([pull], now=now, rows=inputs.rows)
        works = inputs.works[pull.repository]
        brief = BriefMaker(scorer).brief_of(pull, scored, now=now, works=works)
    if pull.repository in inputs.histories.unreachable and brief.basis == "no history":
        brief = _unreachable(brief)
    return BriefAndRow(brief, scored.row)


async def history_of(service: "Service", repository: str) -> CachedHistory:
    """The history of a repository; one without any if it has none, or none can be read now."""
    return (await _read_histories(service, {repository})).get(repository)


def _unreachable(brief: Brief) -> Brief:
    return msgspec.structs.replace(brief, basis="history unreachable", verdict=UNREACHABLE)


def _slices(pulls: Sequence[Pull], size: int) -> Iterator[list[Pull]]:
    part: list[Pull] = []
    files = 0
    for pull in pulls:
        part.append(pull)
        files += len(pull.files or ())
        if len(part) == size or files >= _SLICE_FILES:
            yield part
            part, files = [], 0
    if part:
        yield part


async def _read(service: "Service", pulls: Sequence[Pull], detail: Detail) -> _Inputs:
    """What these pulls are scored from; what cannot be reached is not there."""
    histories = await _read_histories(service, {pull.repository for pull in pulls})
    if detail != "scores":
        await _index(histories)
    rows = await _rows(service, pulls)
    names = histories.by_repository if detail == "briefs" else ()
    works = {name: await service.open_works.of(name) for name in names}
    return _Inputs(histories, rows, works)


def _scorer(
    service: "Service",
    bundle: Bundle,
    histories: ReadHistories,
    points: OperatingPoints | None = None,
) -> Scorer:
    dependencies = service.dependencies
    return Scorer(
        bundle,
        dependencies.lake,
        points=points or dependencies.points,
        histories=histories,
        site=dependencies.site,
    )


async def _read_histories(service: "Service", repositories: set[str]) -> ReadHistories:
    histories: dict[str, CachedHistory] = {}
    unreachable: set[str] = set()
    for name in repositories:
        history = service.histories.peek(name)
        if history is not None:
            service.metrics.hit.inc()
        else:
            history = await _read_history(service, name)
        histories[name] = history or _ABSENT
        if history is None or (history.history is None and service.lake_fault is not None):
            unreachable.add(name)  # what was last seen of a lake that fails may lack it
    return ReadHistories(histories, frozenset(unreachable))


async def _read_history(service: "Service", repository: str) -> CachedHistory | None:
    cached = await asyncio.to_thread(service.histories.decompress, repository)
    (service.metrics.miss if cached is None else service.metrics.compressed).inc()
    if cached is not None:
        return cached
    if service.lake_resting:
        return None
    try:
        return await service.from_lake(lambda: service.histories.get(repository))
    except PullriskError as error:
        service.lake_failed(error)
        return None


async def _rows(service: "Service", pulls: Sequence[Pull]) -> Rows:
    """The lake's rows of merged pulls; none if it cannot be reached."""
    merged = [pull for pull in pulls if pull.merged_at]
    if not merged or service.lake_resting or service.lake_fault is not None:
        return {}
    reader = Scorer(service.loaded.bundle, service.dependencies.lake, histories=service.histories)

    def read() -> Rows:
        rows = reader.rows_of(merged)
        give_back_memory()
        return rows

    try:
        return await service.from_lake(read)
    except PullriskError as error:
        service.lake_failed(error)
        return {}


class _Answer(NamedTuple):
    """A score, with its reasons and its brief where they were asked for."""

    score: Score
    reasons: tuple[Reason, ...] | None = None
    brief: Brief | None = None


def _answer(
    maker: BriefMaker,
    pull: Pull,
    scored: ScoredRow,
    works: Mapping[str, Sequence[UnmergedWork]],
    detail: Detail,
    now: datetime,
) -> _Answer:
    if detail == "scores":
        return _Answer(scored.score)
    if detail == "reasons":
        return _Answer(scored.score, maker.reasons(pull, scored))
    brief = maker.brief_of(pull, scored, now=now, works=works[pull.repository])
    return _Answer(scored.score, brief.reasons, brief)


async def _index(histories: ReadHistories) -> None:
    """Make the histories' indexes outside of the event loop, where that takes time."""
    for cached in histories.by_repository.values():
        if cached.history is not None and cached.history.derived is None:
            await asyncio.to_thread(index_of, cached.history)


def _to_shape(
    answer: _Answer, histories: Mapping[str, shapes.History], unreachable: Set[str]
) -> shapes.Score:
    """The score as the API writes it: with its history's state, and what else was asked for."""
    score, reasons, brief = answer
    fields = msgspec.structs.asdict(score)
    del fields["updated_at"]
    if score.repository in unreachable and score.basis == "no history":
        fields["basis"] = "history unreachable"
        brief = brief and _unreachable(brief)
    history = histories[score.repository]
    return shapes.Score(**fields, history=history, reasons=reasons, brief=brief)


def _states(histories: ReadHistories, now: datetime, *, stale: bool) -> dict[str, shapes.History]:
    """What is known of each repository."""
    return {
        name: _state(cached, now, stale=stale) for name, cached in histories.by_repository.items()
    }


def _state(cached: CachedHistory, now: datetime, *, stale: bool) -> shapes.History:
    history = cached.history
    if history is None or history.as_of is None:
        return shapes.History(False, None, None, 0, stale)
    age = (now - history.as_of).total_seconds() / _DAY
    return shapes.History(True, history.as_of, age, history.pulls, stale)


def _count(service: "Service", scores: Sequence[shapes.Score]) -> None:
    metrics = service.metrics
    for score in scores:
        metrics.novelty.observe(score.novelty)
        if score.risk is not None:
            metrics.risk.observe(score.risk)
        metrics.count_score(score.band or "none", score.basis)
