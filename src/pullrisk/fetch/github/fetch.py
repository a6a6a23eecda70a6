"""Fetch pull requests from GitHub into the store: the request, and the run through it."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.github.access import Access
from pullrisk.fetch.github.client import Client, connection
from pullrisk.fetch.github.endpoint import endpoint
from pullrisk.fetch.github.lookup import list_owned, lookup_repositories, search_repositories
from pullrisk.fetch.github.repository import RepositoryFetch, RepositoryReport
from pullrisk.fetch.github.slots import CredentialPool
from pullrisk.fetch.github.sync import RepositoryStates
from pullrisk.progress import Progress, Task
from pullrisk.pulls.people import NO_NAMES, BotNames
from pullrisk.pulls.store import PullStore, Rotating, Written

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
        return sum(report.read for report in self.repositories)

    @property
    def written(self) -> Written:
        """What the store did with the pulls."""
        return sum((report.written for report in self.repositories), Written())

    @property
    def requests(self) -> int:
        """How many calls were made, failed ones too."""
        return sum(report.requests for report in self.repositories)

    @property
    def failed(self) -> tuple[RepositoryReport, ...]:
        """The repositories that could not be brought up to date."""
        return tuple(report for report in self.repositories if report.error)


def fetch_github(
    request: Request,
    store: PullStore,
    *,
    access: Access,
    progress: Progress,
    rotating: Rotating[Access] | None = None,
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
    rotating: Rotating[Access] | None,
) -> GitHubReport:
    async with connection(transport=access.transport) as http:
        pool = CredentialPool(access, http, rotating=rotating)
        await pool.open()
        client = Client(endpoint(access.url), pool, http=http)
        names = await _names(request, client)
        with progress.task("repositories", total=len(names), unit="repositories") as task:
            reports = await _fetch_all(names, request, client, store, task, progress)
        return GitHubReport(repositories=reports, left=pool.left)


async def _names(request: Request, client: Client) -> list[str]:
    """The names of all repositories of the request in order, without repetitions."""
    names = list(request.repositories)
    if request.organisation:
        names += await list_owned(client, request.organisation, limit=request.limit)
    if request.search:
        limit = request.limit or SEARCH_LIMIT
        names += await search_repositories(client, request.search, limit=limit)
    if not names:
        raise InputError("no repository to fetch", hint="name one: pullrisk fetch owner/name")
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


async def _fetch_all(
    names: Sequence[str],
    request: Request,
    client: Client,
    store: PullStore,
    task: Task,
    progress: Progress,
) -> tuple[RepositoryReport, ...]:
    """Fetch the repositories; the first error stops all and is raised itself, not as a group."""
    states = RepositoryStates(store, client.endpoint.host)
    known = [state for name in names if (state := states.by_name(name))]
    current = await lookup_repositories(client, known) if known else {}
    turns = asyncio.Semaphore(request.concurrency)

    async def fetch_one(name: str) -> RepositoryReport:
        async with turns:
            fetch = RepositoryFetch(name, client, store, states, progress, names=request.names)
            report = await fetch.run(current)
        task.advance()
        return report

    try:
        async with asyncio.TaskGroup() as group:
            fetches = [group.create_task(fetch_one(name)) for name in names]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return tuple(fetch.result() for fetch in fetches)


def run_until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; Ctrl-C and SIGTERM cancel the work, so that a page under way is written.

    Raises KeyboardInterrupt after such a signal, when all tasks have ended.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        return asyncio.run(_stoppable(work))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _stoppable(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        stopped = True
        task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
