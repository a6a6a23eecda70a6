"""One fetch of many repositories: several at once, each independent of the others."""

import asyncio
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


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch: repositories by name, of an organisation or user, or found by a search.

    `limit` is how many of those two at most; `concurrency` how many repositories at once.
    """

    repositories: tuple[str, ...] = ()
    organisation: str | None = None
    search: str | None = None
    limit: int | None = None
    concurrency: int = 4


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

    async def run(self) -> GitHubReport:
        """Bring every repository of the request up to date.

        Raises InputError (nothing to fetch), SettingsError, StoreError.
        """
        names = await self._names()
        total = len(names)
        with self._progress.task("repositories", total=total, unit="repositories") as overall:
            await self._fetch(names, overall)
        reports = tuple(self._reports[name] for name in names)
        return GitHubReport(repositories=reports, left=self._client.lanes.left)

    async def _names(self) -> list[str]:
        """All names that the request leads to, each once, in its order."""
        request = self._request
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

    async def _fetch(self, names: Sequence[str], overall: Task) -> None:
        known = [state for name in names if (state := self._states.by_name(name))]
        seen = await look(self._client, known) if known else {}

        async def turn(name: str) -> None:
            async with self._turns:
                visit = Visit(name, self._client, self._store, self._states, self._progress)
                self._reports[name] = await visit.run(seen)
            overall.advance()

        await _all(map(turn, names))


async def _all(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all; an error that leaves one of them stops the others and is raised itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
