"""One repository's turn in a fetch: open it, sync it, and report whatever became of it."""

import time
from datetime import UTC, datetime, timedelta

from pullrisk.errors import InputError
from pullrisk.fetch.github.client import Client
from pullrisk.fetch.github.failures import Failure, NotFound
from pullrisk.fetch.github.lanes import Caller
from pullrisk.fetch.github.opening import Opened, open_repository
from pullrisk.fetch.github.reader import Reader
from pullrisk.fetch.github.report import RepositoryReport
from pullrisk.fetch.github.shapes import Repository
from pullrisk.fetch.github.state import States
from pullrisk.fetch.github.sync import OVERLAP, Sync
from pullrisk.progress import Progress, Task
from pullrisk.pulls.store import PullStore


class Visit:
    """Brings the repository `name` up to date; `seen` is what a look found of known ones."""

    def __init__(
        self, name: str, client: Client, store: PullStore, states: States, progress: Progress
    ) -> None:
        self._name, self._client = name, client
        self._store, self._states, self._progress = store, states, progress
        self._caller = Caller()
        self._notes: list[str] = []
        self._sync: Sync | None = None
        self._left: int | None = None

    async def run(self, seen: dict[int, Repository]) -> RepositoryReport:
        """What was done; a failure that concerns this repository only stands in the report.

        Raises SettingsError and StoreError, which concern all.
        """
        started = time.monotonic()
        error: str | None = None
        try:
            await self._update(seen)
        except (Failure, InputError) as failure:
            error = _explained(self._name, failure)
        synced = self._sync.synced if self._sync else None
        report = RepositoryReport(
            repository=self._name,
            requests=self._caller.requests,
            points=self._caller.points,
            seconds=time.monotonic() - started,
            notes=tuple(self._notes),
            error=error,
        )
        return report if synced is None else report.with_pulls(synced.read, synced.written)

    async def _update(self, seen: dict[int, Repository]) -> None:
        opened = await open_repository(
            self._client, self._states, self._name, seen=seen, caller=self._caller
        )
        self._notes += opened.notes
        if is_quiet(opened):
            return
        state = opened.state
        reader = Reader(
            self._client,
            self._caller,
            node_id=state.node_id,
            repository_id=state.repository_id,
            name=state.name,
            paging=state.paging,
        )
        self._left = _left(opened)
        with self._progress.task(self._name, total=self._left, unit="pulls") as task:
            self._caller.waiting = lambda seconds: task.describe(
                f"{self._name} · limit reached, goes on at {_clock(seconds)}"
            )
            self._sync = Sync(
                reader,
                self._store,
                self._states,
                state,
                told=lambda pulls: self._show(task, pulls),
            )
            try:
                await self._sync.run()
            finally:
                self._notes += reader.notes

    def _show(self, task: Task, pulls: int) -> None:
        if self._left is not None:
            # The scan after a backfill reads some pulls again: they are no further progress.
            pulls = min(pulls, self._left)
            self._left -= pulls
        task.advance(pulls)
        left = self._client.lanes.left
        task.describe(self._name if left is None else f"{self._name} · {left:,} points left")


def is_quiet(opened: Opened) -> bool:
    """Whether nothing can have changed since the last whole pass.

    An update that a replica shows late could hide behind a newer one, so a repository with
    updates shortly before the watermark is never taken for quiet.
    """
    state, found = opened.state, opened.seen.pull_requests
    if state.phase != "rest" or state.watermark is None or found is None:
        return False
    newest = max((each.updated_at for each in found.nodes or () if each), default=None)
    if newest is None:
        return not found.total_count
    return newest == state.newest and newest < state.watermark - OVERLAP


def _left(opened: Opened) -> int | None:
    """Pulls that a backfill still has to read; unknown for a scan."""
    found = opened.seen.pull_requests
    if opened.state.phase != "backfill" or found is None or found.total_count is None:
        return None
    return max(found.total_count - opened.state.done, 0)


def _explained(name: str, failure: Failure | InputError) -> str:
    if isinstance(failure, NotFound):
        return f"{name}: deleted, or no longer visible to the token; what is stored stays"
    message = str(failure)
    return message if name in message else f"{name}: {message}"


def _clock(seconds: float) -> str:
    moment = datetime.now(UTC).astimezone() + timedelta(seconds=seconds)
    return moment.strftime("%H:%M:%S")
