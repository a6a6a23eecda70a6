"""Scores for the API: reads what is missing, then scores on the event loop, a slice at a time."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from pullrisk.brief.diffs import Diffs
from pullrisk.brief.index import index_of
from pullrisk.brief.make import BriefMaker
from pullrisk.brief.result import Brief, Reason
from pullrisk.brief.verdict import UNREACHABLE
from pullrisk.errors import PullriskError
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.hunks import UnmergedWork
from pullrisk.pulls.record import Pull
from pullrisk.score.history_cache import CachedHistory, give_back_memory
from pullrisk.score.result import Score
from pullrisk.score.scorer import Judged, Rows, Scorer
from pullrisk.serve import shapes
from pullrisk.serve.service import Service

Wanted: TypeAlias = Literal["scores", "reasons", "briefs"]

_SIZES: Final[dict[Wanted, int]] = {"scores": 32, "reasons": 8, "briefs": 2}
"""Pulls that are scored before others get their turn: some milliseconds."""
_SLICE_FILES: Final = 1_000
"""Files after which a slice ends early; a pull is never divided."""
_DAY: Final = 86_400.0
_ABSENT: Final = CachedHistory(None, None)


class Fetched(msgspec.Struct, frozen=True):
    """Histories read before scoring, so that scoring never waits; some could not be read."""

    histories: dict[str, CachedHistory]
    unreachable: frozenset[str]

    def get(self, repository: str) -> CachedHistory:
        """As `HistoryCache.get`, from what was read."""
        return self.histories[repository]


async def score(
    service: Service,
    pulls: Sequence[Pull],
    *,
    wanted: Wanted,
    counted: bool = True,
    points: OperatingPoints | None = None,
    diffs: Diffs | None = None,
) -> list[shapes.Score]:
    """Score pulls in the order given, all with the model that is loaded when this begins.

    `wanted` is what to tell beside the scores, `points` replace the service's own,
    `diffs` are those of the pulls where somebody knows their lines.
    """
    points = points or service.dependencies.points
    bundle, now = service.loaded.bundle, datetime.now(UTC)
    size = _SIZES[wanted]
    scores: list[shapes.Score] = []
    for part in _slices(pulls, size):
        if scores:
            await asyncio.sleep(0)
        fetched = await _fetch(service, {pull.repository for pull in part})
        if wanted != "scores":
            await _index(fetched)
        rows = await _rows(service, part)
        names = fetched.histories if wanted == "briefs" else ()
        works = {name: await service.open_works.of(name) for name in names}
        scorer = Scorer(
            bundle,
            service.dependencies.lake,
            points=points,
            histories=fetched,
            site=service.dependencies.site,
        )
        with service.part("score"):
            told = _tell(
                BriefMaker(scorer, diffs),
                scorer.judge(part, now=now, rows=rows),
                part,
                wanted,
                now=now,
                works=works,
            )
        stale = service.lake_fault is not None
        known = {
            name: _history(cached, now, stale=stale) for name, cached in fetched.histories.items()
        }
        scores += [
            _answer(
                each,
                known[each.score.repository],
                unreachable=each.score.repository in fetched.unreachable,
            )
            for each in told
        ]
    if counted:
        _count(service, scores)
    return scores


class Examined(NamedTuple):
    """The brief of one pull, and the row of features [d] that it is of."""

    brief: Brief
    row: NDArray[np.float32]


async def examine(service: Service, pull: Pull, *, now: datetime) -> Examined:
    """The brief of a pull beside the open ones of its repository, with what it is made from."""
    fetched = await _fetch(service, {pull.repository})
    await _index(fetched)
    rows = await _rows(service, [pull])
    works = await service.open_works.of(pull.repository)
    scorer = Scorer(
        service.loaded.bundle,
        service.dependencies.lake,
        points=service.dependencies.points,
        histories=fetched,
        site=service.dependencies.site,
    )
    with service.part("score"):
        (judged,) = scorer.judge([pull], now=now, rows=rows)
        brief = BriefMaker(scorer).brief_of(pull, judged, now=now, works=works)
    if pull.repository in fetched.unreachable and brief.basis == "no history":
        brief = _unreachable(brief)
    return Examined(brief, judged.row)


async def history_of(service: Service, repository: str) -> CachedHistory:
    """The history of a repository; one without any if it has none, or none can be read now."""
    return (await _fetch(service, {repository})).histories[repository]


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


async def _fetch(service: Service, repositories: set[str]) -> Fetched:
    histories: dict[str, CachedHistory] = {}
    unreachable: set[str] = set()
    for name in repositories:
        history = service.histories.peek(name)
        if history is not None:
            service.metrics.hit.inc()
        else:
            history = await _read_history(service, name)
        if history is None:
            unreachable.add(name)
        histories[name] = history or _ABSENT
    return Fetched(histories, frozenset(unreachable))


async def _read_history(service: Service, repository: str) -> CachedHistory | None:
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


async def _rows(service: Service, pulls: Sequence[Pull]) -> Rows:
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


class _Told(NamedTuple):
    """A score with what else was wanted."""

    score: Score
    reasons: tuple[Reason, ...] | None = None
    brief: Brief | None = None


def _tell(
    maker: BriefMaker,
    judged: Sequence[Judged],
    pulls: Sequence[Pull],
    wanted: Wanted,
    *,
    now: datetime,
    works: Mapping[str, Sequence[UnmergedWork]],
) -> list[_Told]:
    if wanted == "scores":
        return [_Told(each.score) for each in judged]
    pairs = zip(pulls, judged, strict=True)
    if wanted == "reasons":
        return [_Told(each.score, maker.reasons(pull, each)) for pull, each in pairs]
    briefs = [
        (each.score, maker.brief_of(pull, each, now=now, works=works[pull.repository]))
        for pull, each in pairs
    ]
    return [_Told(score, brief.reasons, brief) for score, brief in briefs]


async def _index(fetched: Fetched) -> None:
    """Make the histories' indexes outside of the event loop, where that takes time."""
    for cached in fetched.histories.values():
        if cached.history is not None and cached.history.derived is None:
            await asyncio.to_thread(index_of, cached.history)


def _answer(told: _Told, history: shapes.History, *, unreachable: bool) -> shapes.Score:
    """The score as the API writes it: with its history's state, and what else was wanted."""
    answers = msgspec.structs.asdict(told.score)
    del answers["updated_at"]
    brief = told.brief
    if unreachable and told.score.basis == "no history":
        answers["basis"] = "history unreachable"
        brief = brief and _unreachable(brief)
    return shapes.Score(**answers, history=history, reasons=told.reasons, brief=brief)


def _history(cached: CachedHistory, now: datetime, *, stale: bool) -> shapes.History:
    history = cached.history
    if history is None or history.as_of is None:
        return shapes.History(False, None, None, 0, stale)
    age = (now - history.as_of).total_seconds() / _DAY
    return shapes.History(True, history.as_of, age, history.pulls, stale)


def _count(service: Service, scores: Sequence[shapes.Score]) -> None:
    metrics = service.metrics
    for each in scores:
        metrics.novelty.observe(each.novelty)
        if each.risk is not None:
            metrics.risk.observe(each.risk)
        metrics.count_score(each.band or "none", each.basis)
