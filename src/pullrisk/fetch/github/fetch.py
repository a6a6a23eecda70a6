"""Fetch pull requests from GitHub into the store: the request, and the run through it."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.client import Client, connection
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.lookup import list_owned, lookup_repositories, search_repositories
from pullrisk.fetch.github.repository import RepositoryFetch, RepositoryReport
from pullrisk.fetch.github.slots import CredentialPool, RotatingAccess
from pullrisk.fetch.github.sync import States
from pullrisk.progress import Progress, Task
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.store import PullStore, Written

T = TypeVar("T")

SEARCH_LIMIT: Final = 100
"""Repositories taken from a search, unless the request has a limit."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What to fetch: repositories by name, those of an organisation or user, those of a search.

    `limit` is the most repositories of `organisation`, and of `search`; `concurrency` is how
    many repositories are fetched at once. `names` are accounts that the settings call bots or
    persons.
    """

    repositories: tuple[str, ...] = ()
    organisation: str | None = None
    search: str | None = None
    limit: int | None = None
    concurrency: int = 4
    names: BotNames = NO_NAMES


class GitHubReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch did, for each repository; `left` is how many points are left in the budgets."""

    repositories: tuple[RepositoryReport, ...] = ()
    left: int | None = None

    @property
    def read(self) -> int:
        """How many pulls were read."""
        return sum(each.read for each in self.repositories)

    @property
    def written(self) -> Written:
        """What the store did with the pulls."""
        return sum((each.written for each in self.repositories), Written())

    @property
    def requests(self) -> int:
        """How many calls were made, failed ones too."""
        return sum(each.requests for each in self.repositories)

    @property
    def failed(self) -> tuple[RepositoryReport, ...]:
        """The repositories that could not be brought up to date."""
        return tuple(each for each in self.repositories if each.error)


def fetch_github(
    request: Request,
    store: PullStore,
    *,
    access: Access,
    progress: Progress,
    rotating: RotatingAccess | None = None,
) -> GitHubReport:
    """Bring the repositories of the request up to date in the store.

    If a repository fails, the report has its error, and the others go on. Give `rotating` if
    the credentials may change meanwhile. What was written stays, and the next fetch continues
    from there. Raises SettingsError (no credential works), InputError (nothing to fetch, GitHub
    cannot be reached), StoreError; KeyboardInterrupt if stopped by Ctrl-C or SIGTERM.
    """
    return run_until_stopped(_fetch(request, store, access, progress, rotating))


async def _fetch(
    request: Request,
    store: PullStore,
    access: Access,
    progress: Progress,
    rotating: RotatingAccess | None,
) -> GitHubReport:
    async with connection(transport=access.transport) as http:
        pool = CredentialPool(access, http, rotating=rotating)
        await pool.open()
        client = Client(endpoint(access.url), pool, http=http)
        return await FetchRun(request, client, store, progress).run()


class FetchRun:
    """One fetch of the repositories of a request; each repository is independent of the others."""

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
        with self._progress.task("repositories", total=len(names), unit="repositories") as task:
            await self._fetch_all(names, task)
        reports = tuple(self._reports[name] for name in names)
        return GitHubReport(repositories=reports, left=self._client.pool.left)

    async def _names(self) -> list[str]:
        """The names of all repositories of the request in order, without repetitions."""
        request = self._request
        names = list(request.repositories)
        if request.organisation:
            owned = await list_owned(self._client, request.organisation, limit=request.limit)
            names += [each.name_with_owner for each in owned if each.name_with_owner]
        if request.search:
            limit = request.limit or SEARCH_LIMIT
            hits = await search_repositories(self._client, request.search, limit=limit)
            names += [each.name_with_owner for each in hits if each.name_with_owner]
        if not names:
            raise InputError("no repository to fetch", hint="name one: pullrisk fetch owner/name")
        return list({name.lower(): name for name in reversed(names)}.values())[::-1]

    async def _fetch_all(self, names: Sequence[str], task: Task) -> None:
        known = [state for name in names if (state := self._states.by_name(name))]
        current = await lookup_repositories(self._client, known) if known else {}

        async def fetch_one(name: str) -> None:
            async with self._turns:
                fetch = RepositoryFetch(
                    name,
                    self._client,
                    self._store,
                    self._states,
                    self._progress,
                    names=self._request.names,
                )
                self._reports[name] = await fetch.run(current)
            task.advance()

        await _all(map(fetch_one, names))


async def _all(work: Iterable[Coroutine[None, None, None]]) -> None:
    """Run all; the first error stops the others and is raised itself, not as a group."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def run_until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; Ctrl-C and SIGTERM cancel the work, so that a page under way is written.

    Raises KeyboardInterrupt after such a signal, when all tasks have ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    before = {each: signal.getsignal(each) for each in _SIGNALS}
    try:
        return asyncio.run(_stoppable(work))
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


async def _stoppable(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for each in _SIGNALS:
        loop.add_signal_handler(each, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)
