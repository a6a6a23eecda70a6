"""The latest stored pull requests with their scores, read anew when they are old."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from pullrisk.errors import PullriskError
from pullrisk.model.bundle import Band
from pullrisk.pulls.store import RepositorySummary
from pullrisk.score.result import ScoreSummary
from pullrisk.serve import shapes
from pullrisk.serve.scoring import score

if TYPE_CHECKING:
    from pullrisk.serve.service import Service


class PullList(msgspec.Struct, frozen=True):
    """What the store held at a moment: its latest pulls, scored, and its repositories."""

    pulls: list[shapes.ListedPull]
    repositories: list[shapes.Repository]
    model: str
    as_of: datetime


class PullListCache:
    """Keeps the list for `refresh` seconds, and longer while the store is away."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._listed: PullList | None = None
        self._due = 0.0
        self._reading = asyncio.Lock()

    async def current(self) -> PullList:
        """The present list. Raises StoreError if the store could never be read."""
        if self._fresh() and self._listed is not None:
            return self._listed
        async with self._reading:
            if self._listed is None or not self._fresh():
                await self._read()
        if self._listed is None:
            raise RuntimeError("the list was read and is not there")
        return self._listed

    def _fresh(self) -> bool:
        listed = self._listed
        same = listed is not None and listed.model == self._service.loaded.version
        return same and monotonic() < self._due

    async def _read(self) -> None:
        service = self._service
        try:
            limit = service.options.recent
            pulls = await service.from_store(lambda store: store.recent(limit=limit))
            summaries = await service.from_store(lambda store: store.repositories())
        except PullriskError:
            if self._listed is None:
                raise
        else:
            scores = await score(service, pulls, detail="scores", counted=False)
            moments = (pull.updated_at for pull in pulls)
            listed = [_listed(score, at) for score, at in zip(scores, moments, strict=True)]
            version = service.loaded.version
            repositories = await self._repositories(summaries)
            self._listed = PullList(listed, repositories, version, datetime.now(UTC))
        self._due = monotonic() + service.options.refresh

    async def _repositories(
        self, summaries: Sequence[RepositorySummary]
    ) -> list[shapes.Repository]:
        runs: dict[str, int | None] = {}
        lake = self._service.dependencies.lake
        if self._service.lake_fault is None:
            with suppress(PullriskError):
                runs = await self._service.from_lake(
                    lambda: {
                        each.repository: lake.current_run(each.repository) for each in summaries
                    }
                )
        return [_repository(each, runs.get(each.repository)) for each in summaries]


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which of the listed pulls, in which order, and which page of them."""

    repository: shapes.RepositoryName | UnsetType = UNSET
    band: Band | UnsetType = UNSET
    author: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    state: Literal["open", "closed", "merged"] | UnsetType = UNSET
    sort: Literal["updated", "risk"] = "updated"
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    offset: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0

    def admits(self, pull: shapes.ListedPull) -> bool:
        """Whether the pull is among them."""
        return (
            self.repository in (UNSET, pull.repository)
            and self.band in (UNSET, pull.band)
            and self.author in (UNSET, pull.author)
            and self.state in (UNSET, pull.state)
        )


def page(
    pulls: Sequence[shapes.ListedPull], query: ListQuery
) -> tuple[list[shapes.ListedPull], int, int | None]:
    """The pulls of one page, how many there are in all, and the offset of the next page."""
    chosen = [pull for pull in pulls if query.admits(pull)]
    if query.sort == "risk":
        chosen.sort(key=lambda pull: (-(pull.risk or 0.0), -pull.novelty))
    end = query.offset + query.limit
    return chosen[query.offset : end], len(chosen), end if end < len(chosen) else None


def _repository(summary: RepositorySummary, run: int | None) -> shapes.Repository:
    return shapes.Repository(
        repository=summary.repository,
        pulls=summary.pulls,
        merged=summary.merged,
        open=summary.open,
        last_updated_at=summary.last_updated_at,
        replayed_at=None if run is None else datetime.fromtimestamp(run / 1e9, UTC),
    )


_SHARED: Final = ScoreSummary.__struct_fields__


def _listed(score: shapes.Score, updated_at: datetime) -> shapes.ListedPull:
    summary = {name: getattr(score, name) for name in _SHARED}
    return shapes.ListedPull(**summary, updated_at=updated_at)
