"""Rounds through many repositories: several at once, each on its own, once or for ever."""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from typing import Final

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.github.client import Client
from pullrisk.fetch.github.opening import look, owned, searched
from pullrisk.fetch.github.report import GitHubReport, RepositoryReport
from pullrisk.fetch.github.state import States
from pullrisk.fetch.github.visit import Visit
from pullrisk.progress import Progress, Task
from pullrisk.pulls.store import PullStore

FOUND_AT_MOST: Final = 100
"""Repositories of a search unless a limit is given."""
BUDGET_SHARE: Final = 0.8
"""Of the hourly budget, what watching may use."""
REDISCOVER: Final = 3_600.0
"""Seconds after which a watched organisation or search is looked up again."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch: repositories by name, of an organisation or user, or found by a search.

    `limit` is how many of those two at most; `concurrency` how many repositories at once;
    `every` the seconds between two looks while watching.
    """

    repositories: tuple[str, ...] = ()
    organisation: str | None = None
    search: str | None = None
    limit: int | None = None
    concurrency: int = 4
    watch: bool = False
    every: float = 60.0


class Rounds:
    """One fetch of many repositories through one client."""

    def __init__(
        self, request: Request, client: Client, store: PullStore, progress: Progress
    ) -> None:
        self._request, self._client = request, client
        self._store, self._progress = store, progress
        self._states = States(store, client.endpoint.host)
        self._turns = asyncio.Semaphore(request.concurrency)
        self._reports: dict[str, RepositoryReport] = {}
        self._discovered_at = 0.0

    async def run(self) -> GitHubReport:
        """Once through all repositories, and with `watch` again and again.

        Raises InputError (nothing to fetch), SettingsError, StoreError.
        """
        names = await self._names()
        total = None if self._request.watch else len(names)
        with self._progress.task("repositories", total=total, unit="repositories") as overall:
            points = await self._round(names, overall)
            while self._request.watch:
                names, points = await self._watched(names, points, overall)
        reports = tuple(self._reports[name] for name in names)
        return GitHubReport(repositories=reports, left=self._client.lanes.left)

    async def _names(self) -> list[str]:
        """All names that the request leads to, each once, in its order."""
        request = self._request
        self._discovered_at = time.monotonic()
        names = list(request.repositories)
        if request.organisation:
            found = await owned(self._client, request.organisation, limit=request.limit)
            names += [each.name_with_owner for each in found if each.name_with_owner]
        if request.search:
            limit = request.limit or FOUND_AT_MOST
            found = await searched(self._client, request.search, limit=limit)
            names += [each.name_with_owner for each in found if each.name_with_owner]
        if not names:
            raise InputError("no repository to fetch", hint="name one: pullrisk fetch owner/name")
        return list({name.lower(): name for name in reversed(names)}.values())[::-1]

    async def _round(self, names: Sequence[str], overall: Task) -> int:
        """Bring each repository up to date; returns the points that it cost."""
        before = sum(report.points for report in self._reports.values())
        known = [state for name in names if (state := self._states.by_name(name))]
        seen = await look(self._client, known) if known else {}

        async def turn(name: str) -> None:
            async with self._turns:
                visit = Visit(name, self._client, self._store, self._states, self._progress)
                report = await visit.run(seen)
            last = self._reports.get(name)
            self._reports[name] = last.followed_by(report) if last else report
            overall.advance()

        await _all(map(turn, names))
        return sum(report.points for report in self._reports.values()) - before

    async def _watched(self, names: list[str], points: int, overall: Task) -> tuple[list[str], int]:
        """Wait as the budget allows, then another round."""
        pause = self.pause(points)
        overall.describe(f"watching {len(names):,} repositories, every {pause:.0f} s")
        await asyncio.sleep(pause)
        try:
            if time.monotonic() - self._discovered_at > REDISCOVER:
                names = await self._names()
            return names, await self._round(names, overall)
        except InputError as error:
            # Out of reach for now; those who watch want to see it come back.
            overall.describe(f"watching: {error.args[0]}")
            return names, points

    def pause(self, points: int) -> float:
        """Seconds until the next round, where the last one cost so many points."""
        hourly = self._client.lanes.hourly
        within = 3_600 * points / (BUDGET_SHARE * hourly) if hourly else 0.0
        return max(self._request.every, min(within, 3_600.0))


async def _all(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all; an error that leaves one of them stops the others and is raised itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
