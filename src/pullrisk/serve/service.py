"""The state of the service: the model that is loaded now, a lake and a store that may move or go.

The lake, the store and the loading of models have a thread each; all else is on the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from pullrisk.errors import LakeError, PullriskError
from pullrisk.features import SCHEMA_HASH
from pullrisk.model.bundle import Bundle
from pullrisk.model.explain import explain
from pullrisk.model.metadata import OperatingPoints
from pullrisk.pulls.record import Pull
from pullrisk.serve import shapes
from pullrisk.serve.histories import Histories
from pullrisk.serve.keys import Keys
from pullrisk.serve.metrics import Metrics
from pullrisk.serve.options import ServeOptions

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore

T = TypeVar("T")


class LoadedModel(msgspec.Struct, frozen=True):
    """A model that answers: its bundle, exact version, and where it came from."""

    bundle: Bundle
    version: str
    source: str
    loaded_at: datetime

    @property
    def name(self) -> shapes.ModelName:
        """What each answer says of it."""
        return shapes.ModelName(self.version, self.bundle.metadata.schema_hash)


class Parts(msgspec.Struct, frozen=True):
    """What a service is made of; `load_model` may take seconds and is called in a thread."""

    lake: "Lake"
    store: "PullStore"
    load_model: Callable[[], LoadedModel]
    keys: Keys
    points: OperatingPoints | None = None


class Service:
    """A loaded model beside a lake and a store, refreshed as they move."""

    def __init__(
        self,
        options: ServeOptions,
        parts: Parts,
        *,
        metrics: Metrics,
        log: Any,  # noqa: ANN401
    ) -> None:
        self.options, self.parts, self.metrics, self.log = options, parts, metrics, log
        self.histories = Histories(parts.lake, limit=options.histories)
        self.model: LoadedModel | None = None
        self.draining = False
        self.lake_fault: str | None = "not looked at yet"
        self.lake_seen = False
        self.store_fault: str | None = None
        self._lake_thread = ThreadPoolExecutor(1, "lake")
        self._store_thread = ThreadPoolExecutor(1, "store")
        self._model_thread = ThreadPoolExecutor(1, "model")
        self.schema_conflict: str | None = None
        self._retry_lake_at = 0.0

    async def start(self) -> None:
        """Load the model and look at the lake. Raises ModelError, LakeError for a wrong schema."""
        self.parts.keys.refresh()
        loading = asyncio.get_running_loop().run_in_executor(
            self._model_thread, self.parts.load_model
        )
        self._adopt(await loading)
        await self.refresh_lake()
        if (found := self.schema_conflict) is not None:
            raise LakeError(found, hint="run `pullrisk preprocess` with this version of pullrisk")

    async def swap(self) -> bool:
        """Load the model anew and warm it beside the present one, which stays if that fails."""
        loop = asyncio.get_running_loop()
        try:
            model = await loop.run_in_executor(self._model_thread, self.parts.load_model)
            await loop.run_in_executor(self._model_thread, warm, model.bundle)
        except Exception as error:
            self.metrics.swaps.labels("refused").inc()
            self.log.error("model refused", error=str(error))
            return False
        self._adopt(model)
        return True

    def _adopt(self, model: LoadedModel) -> None:
        warm(model.bundle)
        before, self.model = self.model, model
        if before is not None:
            self.metrics.model.remove(before.version, before.bundle.metadata.schema_hash)
        self.metrics.model.labels(model.version, model.bundle.metadata.schema_hash).set(1)
        self.metrics.swaps.labels("loaded").inc()
        self.log.info("model loaded", version=model.version, source=model.source)

    @property
    def loaded(self) -> LoadedModel:
        """The model that answers; there is one once the service has started."""
        if self.model is None:
            raise RuntimeError("the service has not started")
        return self.model

    async def stored(self, references: Sequence[shapes.Reference]) -> list[Pull | None]:
        """Pulls of the store. Raises StoreError."""
        get = self.parts.store.get
        return await self.from_store(
            lambda: [get(one.repository, one.number) for one in references]
        )

    async def from_store(self, read: Callable[[], T]) -> T:
        """What `read` finds in the store, in its thread; remembers whether that works."""
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._store_thread, read)
        except PullriskError as error:
            self.store_fault = str(error.args[0])
            self.metrics.stale.labels("store").set(1)
            raise
        self.store_fault = None
        self.metrics.stale.labels("store").set(0)
        return found

    async def from_lake(self, read: Callable[[], T]) -> T:
        """What `read` finds in the lake, in its thread. Raises LakeError."""
        return await asyncio.get_running_loop().run_in_executor(self._lake_thread, read)

    async def refresh_lake(self) -> None:
        """Move to the lake's newest version; what is in memory stays where that fails."""
        try:
            await self.from_lake(self._refresh_lake)
        except PullriskError as error:
            self.lake_failed(error)
        else:
            self.lake_fault = self.schema_conflict
            self.lake_seen = self.lake_seen or self.lake_fault is None
        self.metrics.stale.labels("lake").set(self.lake_fault is not None)
        self.measure()

    def close(self) -> None:
        """End the threads."""
        for thread in (self._lake_thread, self._store_thread, self._model_thread):
            thread.shutdown(wait=False, cancel_futures=True)

    def _refresh_lake(self) -> None:
        lake = self.parts.lake
        lake.refresh()
        found = lake.schema_hash if lake.exists() else None
        self.schema_conflict = None
        if found not in (None, SCHEMA_HASH):
            self.schema_conflict = (
                f"the lake has feature schema {found}, this pullrisk computes {SCHEMA_HASH}"
            )
        else:
            self.histories.refresh()

    def lake_failed(self, error: PullriskError) -> None:
        """The lake could not be read: say so, and leave it alone for a while."""
        self.lake_fault = str(error.args[0])
        self._retry_lake_at = monotonic() + self.options.refresh
        self.metrics.stale.labels("lake").set(1)
        self.log.warning("lake unreachable", error=self.lake_fault)

    @property
    def lake_resting(self) -> bool:
        """Whether the lake failed so lately that it is not asked again yet."""
        return monotonic() < self._retry_lake_at

    def measure(self) -> None:
        """Bring the figures about histories up to date."""
        held = self.histories.items()
        self.metrics.histories.set(len(held))
        for repository, one in held:
            if one.as_of is not None:
                age = (datetime.now(UTC) - one.as_of).total_seconds()
                self.metrics.age.labels(repository).set(age)


def warm(bundle: Bundle) -> None:
    """Run the model once, so that the first request does not pay for it."""
    rows = np.zeros((2, len(bundle.metadata.features)), np.float32)
    bundle.score(rows)
    explain(bundle, rows)
