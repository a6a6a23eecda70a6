"""What pages are made from: the service, and the tables of its store, read in its thread."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from pullrisk.dashboard.figures import FiguresCache
from pullrisk.dashboard.registry import RegistryReader
from pullrisk.pulls.deliveries import DeliveryQueue
from pullrisk.pulls.scores import ScoreTable
from pullrisk.pulls.store import PullStore
from pullrisk.serve.service import Service

T = TypeVar("T")


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
