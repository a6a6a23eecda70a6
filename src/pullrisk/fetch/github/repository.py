"""Fetch one repository: look it up, bring it up to date, and report the result."""

import time
from datetime import UTC, datetime, timedelta

import msgspec

from pullrisk.errors import InputError
from pullrisk.fetch.github.client import Client
from pullrisk.fetch.github.documents import Repository
from pullrisk.fetch.github.failures import Failure, NotFound
from pullrisk.fetch.github.lookup import OpenedRepository, open_repository
from pullrisk.fetch.github.reader import Reader
from pullrisk.fetch.github.slots import Caller
from pullrisk.fetch.github.sync import OVERLAP, RepositoryStates, Sync
from pullrisk.progress import Progress, Task
from pullrisk.pulls.people import BotNames
from pullrisk.pulls.store import PullStore, Written


class RepositoryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a fetch did for one repository; `error` is why it stopped early, None if it did not.

    `repository` is the name that was asked for, `name` GitHub's own, `stored_as` the store's; both
    are None if GitHub did not tell. `requests` are calls to GitHub and `points` what they cost.
    `notes` are for people: renames, and what GitHub left out.
    """

    repository: str
    read: int = 0
    written: Written = Written()
    requests: int = 0
    points: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    error: str | None = None
    name: str | None = None
    stored_as: str | None = None


class RepositoryFetch:
    """Brings the repository `name` up to date in the store."""

    def __init__(
        self,
        name: str,
        client: Client,
        store: PullStore,
        states: RepositoryStates,
        progress: Progress,
        *,
        names: BotNames,
    ) -> None:
        self._bot_names = names
        self._name, self._client = name, client
        self._store, self._states, self._progress = store, states, progress
        self._caller = Caller()
        self._notes: list[str] = []
        self._sync: Sync | None = None
        self._pulls_left: int | None = None
        self._opened: OpenedRepository | None = None

    async def run(self, current: dict[int, Repository]) -> RepositoryReport:
        """Fetch the repository; `current` is the answer of `lookup_repositories`.

        If only this repository is concerned, its failure is in the report. Raises SettingsError
        and StoreError, which concern all.
        """
        started = time.monotonic()
        error: str | None = None
        try:
            await self._update(current)
        except (Failure, InputError) as failure:
            error = _error_text(self._name, failure)
        written = self._sync.written if self._sync else Written()
        return RepositoryReport(
            repository=self._name,
            read=written.total,
            written=written,
            requests=self._caller.requests,
            points=self._caller.points,
            seconds=time.monotonic() - started,
            notes=tuple(self._notes),
            error=error,
            name=self._opened.current.name_with_owner if self._opened else None,
            stored_as=self._opened.state.name if self._opened else None,
        )

    async def _update(self, current: dict[int, Repository]) -> None:
        opened = await open_repository(
            self._client, self._states, self._name, current=current, caller=self._caller
        )
        self._opened = opened
        self._notes += opened.notes
        if is_unchanged(opened):
            return
        state = opened.state
        reader = Reader(
            self._client,
            self._caller,
            node_id=state.node_id,
            repository_id=state.repository_id,
            name=state.name,
            paging=state.paging,
            names=self._bot_names,
        )
        self._pulls_left = _pulls_left(opened)
        with self._progress.task(self._name, total=self._pulls_left, unit="pulls") as task:
            self._caller.waiting = lambda seconds: task.describe(
                f"{self._name} · limit reached, goes on at {_clock(seconds)}"
            )
            self._sync = Sync(
                reader,
                self._store,
                self._states,
                state,
                on_page=lambda pulls: self._show(task, pulls),
            )
            try:
                await self._sync.run()
            finally:
                self._notes += reader.notes

    def _show(self, task: Task, pulls: int) -> None:
        if self._pulls_left is not None:
            # The scan after a backfill reads some pulls again, which are not counted twice.
            pulls = min(pulls, self._pulls_left)
            self._pulls_left -= pulls
        task.advance(pulls)
        left = self._client.pool.left
        task.describe(self._name if left is None else f"{self._name} · {left:,} points left")


def is_unchanged(opened: OpenedRepository) -> bool:
    """Whether nothing can have changed since the last complete pass.

    False if a pull was updated shortly before the watermark: a replica of GitHub may still hide
    a second update of that time.
    """
    state, pulls = opened.state, opened.current.pull_requests
    if state.phase != "rest" or state.watermark is None or pulls is None:
        return False
    newest = max((each.updated_at for each in pulls.nodes or () if each), default=None)
    if newest is None:
        return not pulls.total_count
    return newest == state.newest and newest < state.watermark - OVERLAP


def _pulls_left(opened: OpenedRepository) -> int | None:
    """How many pulls a backfill still has to read; None (unknown) for a scan."""
    pulls = opened.current.pull_requests
    if opened.state.phase != "backfill" or pulls is None or pulls.total_count is None:
        return None
    return max(pulls.total_count - opened.state.done, 0)


def _error_text(name: str, failure: Failure | InputError) -> str:
    if isinstance(failure, NotFound):
        return f"{name}: deleted, or no longer visible to the token; what is stored stays"
    message = str(failure)
    return message if name in message else f"{name}: {message}"


def _clock(seconds: float) -> str:
    moment = datetime.now(UTC).astimezone() + timedelta(seconds=seconds)
    return moment.strftime("%H:%M:%S")
