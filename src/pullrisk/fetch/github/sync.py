"""Bring one repository up to date, so that nothing is lost wherever it stops.

A backfill reads by creation, oldest first: that order never changes under the reader. A scan
reads by update, newest first, down to the watermark less an overlap. A pull that changes while
a pass is under way may slip past it, but its update is then later than the start of the pass,
and that start is the next watermark: the next scan finds it.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from pullrisk.fetch.github.failures import BadCursor
from pullrisk.fetch.github.paging import FIRST
from pullrisk.fetch.github.reader import Order, Page, Reader
from pullrisk.fetch.github.state import State, States
from pullrisk.pulls.record import MAX_FILES, Pull
from pullrisk.pulls.store import PullStore, Written

OVERLAP: Final = timedelta(minutes=10)
"""How far below the watermark a scan reads: GitHub's replicas lag, and its clocks differ."""


class Synced(msgspec.Struct):
    """Pulls read, and what the store did with them."""

    read: int = 0
    written: Written = Written()


class Sync:
    """One repository's passes. Each page is written together with the checkpoint behind it.

    `told` hears how many pulls each page brought.
    """

    def __init__(
        self,
        reader: Reader,
        store: PullStore,
        states: States,
        state: State,
        *,
        told: Callable[[int], object],
    ) -> None:
        self._reader, self._store, self._states = reader, store, states
        self.state = state
        self._told = told
        self.synced = Synced()
        self._writing: asyncio.Task[Written] | None = None

    async def run(self) -> Synced:
        """Finish what was begun, then scan for what changed since. Raises a Failure, StoreError,
        InputError or SettingsError; what was written stays.
        """
        if self.state.phase == "backfill":
            await self._pass("created", until=None)
        elif self.state.phase == "scan":
            await self._scan()
        self.state.phase = "scan"
        await self._scan()
        return self.synced

    async def _scan(self) -> None:
        watermark = self.state.watermark
        await self._pass("updated", until=watermark - OVERLAP if watermark else None)

    async def _pass(self, order: Order, *, until: datetime | None) -> None:
        """Read to the end, or to the first pull updated before `until`."""
        more = True
        try:
            while more:
                page = await self._page(order)
                # The next page is asked for while this one is written; pages stay in order.
                await self._written()
                more = self._take(page, until)
        finally:
            await self._written()

    def _take(self, page: Page, until: datetime | None) -> bool:
        """Start to write a page with the checkpoint behind it; whether there is more to read."""
        self._see(page)
        pulls = page.pulls
        if until is not None:
            pulls = [pull for pull in pulls if pull.updated_at >= until]
        more = page.cursor is not None and len(pulls) == len(page.pulls)
        self._advance(page.cursor, len(pulls), more=more)
        checkpoint = self._states.value(self.state)
        pulls = [pull for pull in pulls if not self._is_poorer(pull)]
        self._writing = asyncio.create_task(
            asyncio.to_thread(self._store.upsert, pulls, checkpoint=checkpoint)
        )
        self._told(len(pulls))
        return more

    def _is_poorer(self, pull: Pull) -> bool:
        """Whether the store has this very version with more of its files than could be read."""
        known = len(pull.files or ())
        if pull.files is not None and known >= min(pull.changed_files or 0, MAX_FILES):
            return False
        stored = self._store.get(pull.repository, pull.number)
        return (
            stored is not None
            and stored.updated_at == pull.updated_at
            and len(stored.files or ()) > known
        )

    async def _written(self) -> None:
        """Wait for the page that is being written, if there is one. Raises StoreError."""
        if self._writing is None:
            return
        writing, self._writing = self._writing, None
        written = await asyncio.shield(writing)
        self.synced.written += written
        self.synced.read += written.inserted + written.updated + written.unchanged

    async def _page(self, order: Order) -> Page:
        try:
            return await self._reader.page(order, self.state.cursor, at_most=self._at_most(order))
        except BadCursor:
            if self.state.cursor is None:
                raise
            # Written pulls stay; the pass begins again, with the start it had.
            self.state.cursor, self.state.done = None, 0
            return await self._reader.page(order, None, at_most=self._at_most(order))

    def _at_most(self, order: Order) -> int:
        """A scan's first page is small: most of the time little has changed."""
        return FIRST if order == "updated" and self.state.cursor is None else 100

    def _see(self, page: Page) -> None:
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
