"""Bring one repository up to date so that no pull is lost, wherever the fetch stops.

A backfill reads by creation, oldest first: that order does not change while it is read. A scan
reads by update, newest first, down to the watermark less an overlap. If a pull changes during a
pass, the pass may miss it; but its update is then later than the start of the pass, and that
start is the next watermark, so the next scan reads it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from pullrisk.fetch.github.failures import BadCursor
from pullrisk.fetch.github.reader import FIRST, MAXIMUM, Order, Page, Paging, Reader
from pullrisk.pulls.record import MAX_FILES, Pull
from pullrisk.pulls.store import PullStore, Written

OVERLAP: Final = timedelta(minutes=10)
"""How far a scan reads beyond the watermark, since GitHub's replicas lag and clocks differ."""
READER: Final = 2
"""Version of the reader, part of the checkpoint: raise it when it reads more of old pulls.

2: which of the closed issues are labelled as bugs."""


class RepositoryState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far one repository is fetched: its checkpoint. The field names are part of the store.

    The repository is identified by GitHub's numeric id. Its pulls are stored under `name`, the
    name at the first fetch, so that a rename does not split its history. `cursor` and
    `started_at` belong to the pass under way; `watermark` is when the last complete pass
    started, None before the backfill is complete. `done` counts the pulls of the backfill;
    `newest` is the latest update of any pull.
    """

    repository_id: int
    node_id: str
    name: str
    reader: int = READER
    phase: Literal["backfill", "scan", "rest"] = "backfill"
    cursor: str | None = None
    started_at: datetime | None = None
    watermark: datetime | None = None
    done: int = 0
    newest: datetime | None = None
    paging: Paging = msgspec.field(default_factory=Paging)


class RepositoryStates:
    """The checkpoints of all repositories of one GitHub, by id and by name."""

    def __init__(self, store: PullStore, host: str) -> None:
        self._store = store
        self._prefix = f"github:{host}"

    def key(self, state: RepositoryState) -> str:
        """The key of a repository's checkpoint."""
        return f"{self._prefix}:{state.repository_id}"

    def value(self, state: RepositoryState) -> tuple[str, dict[str, object]]:
        """Key and value of the checkpoint, as `PullStore.upsert` takes it."""
        return self.key(state), msgspec.to_builtins(state)

    def by_id(self, repository_id: int) -> RepositoryState | None:
        """The state of a repository, or None if it was never fetched.

        If an older reader wrote it, the backfill begins again.
        """
        saved = self._store.checkpoint(f"{self._prefix}:{repository_id}")
        if saved is None:
            return None
        state = msgspec.convert(saved, RepositoryState)
        if state.reader == READER:
            return state
        return RepositoryState(
            repository_id=state.repository_id, node_id=state.node_id, name=state.name
        )

    def by_name(self, name: str) -> RepositoryState | None:
        """The state of the repository that was fetched by this name before."""
        saved = self._store.checkpoint(self._name_key(name))
        repository_id = (saved or {}).get("repository_id")
        return self.by_id(repository_id) if isinstance(repository_id, int) else None

    def register(self, state: RepositoryState, *names: str) -> None:
        """Save which repository these names belong to, at its first fetch or under a new name."""
        for name in {state.name, *names}:
            checkpoint = (self._name_key(name), {"repository_id": state.repository_id})
            self._store.upsert([], checkpoint=checkpoint)

    def _name_key(self, name: str) -> str:
        return f"{self._prefix}:{name.lower()}"


class Sync:
    """Brings one repository up to date. Each page is written together with its checkpoint.

    `on_page` is called with the number of pulls of each page. `written` is what the store did with
    all pulls that were read.
    """

    def __init__(
        self,
        reader: Reader,
        store: PullStore,
        states: RepositoryStates,
        state: RepositoryState,
        *,
        on_page: Callable[[int], object],
    ) -> None:
        self._reader, self._store, self._states = reader, store, states
        self.state = state
        self._on_page = on_page
        self.written = Written()
        self._writing: asyncio.Task[Written] | None = None

    async def run(self) -> None:
        """Complete the pass that was begun, then scan for later changes.

        Raises a Failure, StoreError, InputError or SettingsError; what was written stays.
        """
        if self.state.phase == "backfill":
            await self._pass("created", until=None)
        elif self.state.phase == "scan":
            await self._scan()
        self.state.phase = "scan"
        await self._scan()

    async def _scan(self) -> None:
        watermark = self.state.watermark
        await self._pass("updated", until=watermark - OVERLAP if watermark else None)

    async def _pass(self, order: Order, *, until: datetime | None) -> None:
        """Read and write pages to the end, or to the first pull updated before `until`."""
        more = True
        try:
            while more:
                page = await self._page(order)
                # The next page is asked for while this one is written; pages stay in order.
                await self._finish_writing()
                more = self._start_writing(page, until)
        finally:
            await self._finish_writing()

    def _start_writing(self, page: Page, until: datetime | None) -> bool:
        """Start to write a page with its checkpoint; returns whether there is more to read."""
        self._note_times(page)
        pulls = page.pulls
        if until is not None:
            pulls = [pull for pull in pulls if pull.updated_at >= until]
        more = page.cursor is not None and len(pulls) == len(page.pulls)
        self._advance(page.cursor, len(pulls), more=more)
        checkpoint = self._states.value(self.state)
        pulls = [pull for pull in pulls if not self._has_fewer_files(pull)]
        self._writing = asyncio.create_task(
            asyncio.to_thread(self._store.upsert, pulls, checkpoint=checkpoint)
        )
        self._on_page(len(pulls))
        return more

    def _has_fewer_files(self, pull: Pull) -> bool:
        """Whether the store has the same version of the pull with more of its files."""
        known = len(pull.files or ())
        if pull.files is not None and known >= min(pull.changed_files or 0, MAX_FILES):
            return False
        stored = self._store.get(pull.repository, pull.number)
        return (
            stored is not None
            and stored.updated_at == pull.updated_at
            and len(stored.files or ()) > known
        )

    async def _finish_writing(self) -> None:
        """Wait until the page that is being written is stored. Raises StoreError."""
        if self._writing is None:
            return
        writing, self._writing = self._writing, None
        self.written += await asyncio.shield(writing)

    async def _page(self, order: Order) -> Page:
        try:
            return await self._reader.page(order, self.state.cursor, at_most=self._at_most(order))
        except BadCursor:
            if self.state.cursor is None:
                raise
            # Written pulls stay; the pass begins again and keeps the time of its start.
            self.state.cursor, self.state.done = None, 0
            return await self._reader.page(order, None, at_most=self._at_most(order))

    def _at_most(self, order: Order) -> int:
        """The largest page to ask for; a scan begins small, since mostly little has changed."""
        return FIRST if order == "updated" and self.state.cursor is None else MAXIMUM

    def _note_times(self, page: Page) -> None:
        if self.state.started_at is None:
            self.state.started_at = page.at
        newest = max((pull.updated_at for pull in page.pulls), default=None)
        if newest and (self.state.newest is None or newest > self.state.newest):
            self.state.newest = newest

    def _advance(self, cursor: str | None, pulls: int, *, more: bool) -> None:
        state = self.state
        state.paging = self._reader.paging
        if state.phase == "backfill":
            state.done += pulls
        if more:
            state.cursor = cursor
            return
        state.watermark, state.started_at, state.cursor = state.started_at, None, None
        state.phase = "rest"
