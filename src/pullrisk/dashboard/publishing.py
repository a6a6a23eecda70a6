"""Scores what the store has and no page could show yet: new pulls, and those of an earlier model.

The GitHub App puts in what it publishes; this follows with everything else that is open or recent,
and with open pulls whose history moved on.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Set
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from pullrisk.brief.published import published_score
from pullrisk.dashboard.reading import Reader, Tables
from pullrisk.errors import PullriskError
from pullrisk.pulls.record import Pull
from pullrisk.serve.background import in_background
from pullrisk.serve.scoring import score
from pullrisk.serve.service import Service

_EVERY: Final = 20.0
"""Seconds between looks at the store."""
_AT_ONCE: Final = 20
"""Pulls that are scored before they are kept."""


class Publisher:
    """Keeps the published scores of one service up to date."""

    def __init__(self, service: Service, tables: Tables) -> None:
        self._service, self._tables = service, tables
        self._reader = Reader(service, tables)
        self._histories: dict[str, datetime | None] = {}

    async def run(self) -> None:
        """Publish for ever; what fails is logged, and tried again."""
        while True:
            try:
                await self.publish()
            except PullriskError as error:
                self._service.log.warning("scores not published", error=str(error.args[0]))
            await asyncio.sleep(_EVERY)

    async def publish(self) -> int:
        """Score and keep what is due now, open pulls first; how many. Raises StoreError."""
        now = dict(self._service.histories.as_of())
        moved = {name for name, at in now.items() if self._histories.get(name, at) != at}
        due = await self._due(moved)
        for start in range(0, len(due), _AT_ONCE):
            await self._keep(due[start : start + _AT_ONCE])
        self._histories |= now
        return len(due)

    async def _due(self, moved: Set[str]) -> list[Pull]:
        """The open and recent pulls that are not kept as they are now, and all open ones of the
        repositories whose histories moved.
        """
        limit = self._service.options.recent
        still_open = await self._reader.store(lambda store: store.recent(state="open", limit=limit))
        latest = await self._reader.store(lambda store: store.recent(limit=limit))
        pulls = _distinct([*still_open, *latest])
        published = await self._reader.scores(lambda table: table.versions([*pulls]))
        version = self._service.loaded.version
        return [
            pull
            for key, pull in pulls.items()
            if published.get(key) != (pull.updated_at, version)
            or (pull.repository in moved and pull.state == "open")
        ]

    async def _keep(self, pulls: list[Pull]) -> None:
        model, now = self._service.loaded.version, datetime.now(UTC)
        scores = await score(self._service, pulls, detail="briefs", counted=False)
        published = [
            published_score(pull, each.brief, model=model, now=now)
            for pull, each in zip(pulls, scores, strict=True)
            if each.brief is not None and each.basis != "history unreachable"
        ]
        await asyncio.to_thread(self._tables.scores.put, published)


def _distinct(pulls: Iterable[Pull]) -> dict[tuple[str, int], Pull]:
    return {(pull.repository, pull.number): pull for pull in pulls}


@asynccontextmanager
async def publishing(service: Service, tables: Tables) -> AsyncIterator[None]:
    """Publish in the background for as long as this lasts, if there is a store."""
    if not service.dependencies.has_store():
        yield
        return
    async with in_background("published scores", Publisher(service, tables).run, service.log):
        yield
