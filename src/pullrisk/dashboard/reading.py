"""What pages are made from: the service, the tables of its store, the registry of models."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final, TypeVar

import msgspec

from pullrisk.dashboard.figures import FiguresCache
from pullrisk.pulls.deliveries import DeliveryQueue
from pullrisk.pulls.scores import ScoreTable
from pullrisk.pulls.store import PullStore
from pullrisk.serve.registry import RegistryContents
from pullrisk.serve.service import Service

T = TypeVar("T")
_FRESH_SECONDS: Final = 120.0
"""Seconds after which the registry is asked again."""
_PATIENCE: Final = 1.0
"""Seconds that a page waits for its answer."""


class RegistryReader:
    """Asks the registry with `read`, which may take seconds, outside of the event loop."""

    def __init__(self, read: Callable[[], RegistryContents]) -> None:
        self._read = read
        self._reading: asyncio.Task[RegistryContents] | None = None
        self._contents: RegistryContents | None = None
        self._due = 0.0

    async def get(self) -> RegistryContents | None:
        """What the registry says, or said minutes ago; None if it has not answered yet.

        Raises ModelError if it cannot be read.
        """
        if self._reading is None and monotonic() > self._due:
            self._reading = asyncio.create_task(asyncio.to_thread(self._read))
        reading = self._reading
        if reading is not None:
            await asyncio.wait({reading}, timeout=_PATIENCE)
            if reading.done():
                if self._reading is reading:  # of several who waited, the first
                    self._reading, self._due = None, monotonic() + _FRESH_SECONDS
                self._contents = reading.result()
        return self._contents


class Tables(msgspec.Struct, frozen=True):
    """What pages read beside the pulls; there is no queue without a GitHub App.

    `figures` and `registry` keep in memory what takes long to read.
    """

    scores: ScoreTable
    figures: FiguresCache
    registry: RegistryReader
    deliveries: DeliveryQueue | None = None


class Reader(msgspec.Struct, frozen=True):
    """Reads for one request; each call is one query."""

    service: Service
    tables: Tables

    async def scores(self, work: Callable[[ScoreTable], T]) -> T:
        """What `work` returns of the published scores. Raises StoreError."""
        return await self.service.from_store(lambda _: work(self.tables.scores))

    async def deliveries(self, work: Callable[[DeliveryQueue], T]) -> T | None:
        """What `work` returns of the queue; None without one. Raises StoreError."""
        queue = self.tables.deliveries
        return None if queue is None else await self.service.from_store(lambda _: work(queue))

    async def store(self, work: Callable[[PullStore], T]) -> T:
        """What `work` returns of the pull store. Raises StoreError."""
        return await self.service.from_store(work)
