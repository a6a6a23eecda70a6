"""Scores for the API: reads what is missing, then scores on the event loop, a slice at a time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from pullrisk.errors import PullriskError
from pullrisk.pulls.record import Pull
from pullrisk.score.histories import Held, give_back_memory
from pullrisk.score.scorer import Rows, Scored, Scorer
from pullrisk.serve import shapes
from pullrisk.serve.service import Service

_SLICE: Final = 32
_EXPLAINED_SLICE: Final = 8
"""Pulls that are scored before others get their turn: some milliseconds."""
_DAY: Final = 86_400.0
_ABSENT: Final = Held(None, None)


class Fetched(msgspec.Struct, frozen=True):
    """Histories read before scoring, so that scoring never waits; some could not be read."""

    held: dict[str, Held]
    unreachable: frozenset[str]

    def get(self, repository: str) -> Held:
        """As `Histories.get`, from what was read."""
        return self.held[repository]


async def score(
    service: Service, pulls: Sequence[Pull], *, explained: bool, counted: bool = True
) -> list[shapes.Score]:
    """Score pulls in the order given, all with the model that is loaded when this begins."""
    bundle, now = service.loaded.bundle, datetime.now(UTC)
    size = _EXPLAINED_SLICE if explained else _SLICE
    found: list[shapes.Score] = []
    for start in range(0, len(pulls), size):
        if start:
            await asyncio.sleep(0)
        part = pulls[start : start + size]
        fetched = await _fetch(service, {pull.repository for pull in part})
        rows = await _rows(service, part)
        scorer = Scorer(bundle, service.parts.lake, points=service.parts.points, histories=fetched)
        with service.part("score"):
            scored = scorer.score(part, now=now, explained=explained, rows=rows)
        stale = service.lake_fault is not None
        known = {name: _history(held, now, stale=stale) for name, held in fetched.held.items()}
        found += [
            _answer(
                one,
                known[one.repository],
                unreachable=one.repository in fetched.unreachable,
            )
            for one in scored
        ]
    if counted:
        _count(service, found)
    return found


async def _fetch(service: Service, repositories: set[str]) -> Fetched:
    held: dict[str, Held] = {}
    unreachable: set[str] = set()
    for name in repositories:
        found = service.histories.peek(name)
        if found is not None:
            service.metrics.hit.inc()
        else:
            found = await _read_history(service, name)
        if found is None:
            unreachable.add(name)
        held[name] = found or _ABSENT
    return Fetched(held, frozenset(unreachable))


async def _read_history(service: Service, repository: str) -> Held | None:
    found = await asyncio.to_thread(service.histories.wake, repository)
    (service.metrics.miss if found is None else service.metrics.asleep).inc()
    if found is not None:
        return found
    if service.lake_resting:
        return None
    try:
        return await service.from_lake(lambda: service.histories.get(repository))
    except PullriskError as error:
        service.lake_failed(error)
        return None


async def _rows(service: Service, pulls: Sequence[Pull]) -> Rows:
    """The lake's rows of merged pulls; none where it cannot be reached."""
    merged = [pull for pull in pulls if pull.merged_at]
    if not merged or service.lake_resting or service.lake_fault is not None:
        return {}
    reader = Scorer(service.loaded.bundle, service.parts.lake, histories=service.histories)

    def read() -> Rows:
        rows = reader.rows_of(merged)
        give_back_memory()
        return rows

    try:
        return await service.from_lake(read)
    except PullriskError as error:
        service.lake_failed(error)
        return {}


def _answer(one: Scored, history: shapes.History, *, unreachable: bool) -> shapes.Score:
    basis: shapes.Basis = one.basis
    if basis == "no history" and unreachable:
        basis = "history unreachable"
    why = one.explanation
    return shapes.Score(
        repository=one.repository,
        number=one.number,
        title=one.title,
        author=one.author,
        state=one.state,
        url=one.url,
        risk=one.risk,
        band=one.band,
        percentile=one.percentile,
        novelty=one.novelty,
        novelty_error=one.novelty_error,
        as_of=one.as_of,
        basis=basis,
        history=history,
        category=one.category,
        pattern=one.pattern,
        risk_reasons=why.risk if why else None,
        novelty_reasons=why.novelty if why else None,
        counterfactual=why.counterfactual if why else None,
    )


def _history(held: Held, now: datetime, *, stale: bool) -> shapes.History:
    history = held.history
    if history is None or history.as_of is None:
        return shapes.History(False, None, None, 0, stale)
    age = (now - history.as_of).total_seconds() / _DAY
    return shapes.History(True, history.as_of, age, history.pulls, stale)


def _count(service: Service, scores: Sequence[shapes.Score]) -> None:
    metrics = service.metrics
    for one in scores:
        metrics.novelty.observe(one.novelty)
        if one.risk is not None:
            metrics.risk.observe(one.risk)
        metrics.count_score(one.band or "none", one.basis)
