"""The state of the service: the model that is loaded now, a lake and a store that may move or go.

The lake, the store and the loading of models have a thread each; all else is on the event loop.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from pullrisk.errors import LakeError, PullriskError, StoreError
from pullrisk.options import ServeOptions
from pullrisk.pulls.record import Pull
from pullrisk.score.history_cache import HistoryCache
from pullrisk.serve.dependencies import Dependencies
from pullrisk.serve.inflight import InFlight
from pullrisk.serve.keys import WrongKeys
from pullrisk.serve.metrics import Metrics
from pullrisk.serve.models import LoadedModel, Models
from pullrisk.serve.open_works import OpenWorks
from pullrisk.serve.pull_list import PullListCache
from pullrisk.serve.row_scorer import RowScorer

if TYPE_CHECKING:
    from pullrisk.lake import Lake
    from pullrisk.pulls.store import PullStore

T = TypeVar("T")
_UNTRACED: Final = nullcontext()
_MB: Final = 1_000_000
_NO_STORE: Final = "no pull store is configured: set PULLRISK_STORE, or mongo_uri among the secrets"


class Service:
    """A loaded model beside a lake and a store, refreshed as they move."""

    def __init__(
        self,
        options: ServeOptions,
        dependencies: Dependencies,
        *,
        metrics: Metrics,
        log: Any,  # noqa: ANN401
    ) -> None:
        self.options, self.dependencies = options, dependencies
        self.metrics, self.log = metrics, log
        self.histories = HistoryCache(
            dependencies.lake,
            limit=options.histories,
            ready_bytes=int(options.histories_mb * _MB),
            later=self._later_events,
        )
        self.models = Models(
            dependencies.load_model, dependencies.last_good, metrics=metrics, log=log
        )
        self.in_flight = InFlight(options)
        self.row_scorer = RowScorer(lambda: self.loaded)
        self.pull_list = PullListCache(self)
        self.wrong_keys = WrongKeys()
        self.draining = False
        self._loopback = options.loopback
        self.lake_fault: str | None = "not looked at yet"
        self.lake_seen = False
        self.store_fault: str | None = None
        self.open_works = OpenWorks(self)
        self._lake_thread = ThreadPoolExecutor(1, "lake")
        self._store_thread = ThreadPoolExecutor(1, "store")
        self.schema_conflict: str | None = None
        self._retry_lake_at = self._retry_store_at = 0.0

    async def start(self) -> None:
        """Load the model and look at the lake. Raises ModelError, LakeError for a wrong schema."""
        self.refresh_keys()
        await self.models.start()
        await self.refresh_lake()
        if self.schema_conflict is not None:
            raise LakeError(
                self.schema_conflict, hint="run `pullrisk preprocess` with this version of pullrisk"
            )
        self.models.keep()

    def refresh_keys(self) -> None:
        """Read every kind of key anew. Raises SettingsError where a file cannot be read."""
        for keys in (self.dependencies.keys, self.dependencies.admin):
            if keys is not None:
                keys.refresh()

    @property
    def is_open(self) -> bool:
        """Whether nobody needs a key: only this machine can connect, and there never was one, nor
        another way to sign in.
        """
        dependencies = self.dependencies
        keyed = dependencies.keys.required or dependencies.sign_in.is_required
        return self._loopback and not keyed

    @property
    def store_answer(self) -> str:
        """How the store is, without its address."""
        if self.store_fault is None:
            return ""
        return self.store_fault if self.store_fault == _NO_STORE else "the store cannot be read"

    @property
    def loaded(self) -> LoadedModel:
        """The model that answers; there is one once the service has started."""
        return self.models.loaded

    async def from_store(self, read: "Callable[[PullStore], T]") -> T:
        """What `read` returns from the store, called in its thread; notes whether that works.

        Raises StoreError: at once if the store failed lately, or none is configured.
        """
        if not self.dependencies.has_store():
            self.store_fault = _NO_STORE
            raise StoreError(_NO_STORE)
        if self.store_fault not in (None, _NO_STORE) and monotonic() < self._retry_store_at:
            raise StoreError(str(self.store_fault))
        store = self.dependencies.store
        try:
            with self.part("store"):
                result = await self._patiently(self._store_thread, lambda: self._read_store(read))
        except (PullriskError, TimeoutError) as error:
            self.store_fault = self._reason(error)
            if self.dependencies.store is store:  # another one may be tried at once
                self._retry_store_at = monotonic() + self.options.refresh
            self.metrics.stale.labels("store").set(1)
            self.log.warning("store unreachable", error=self.store_fault)
            raise StoreError(self.store_fault) from error
        self.store_fault = None
        self.metrics.stale.labels("store").set(0)
        return result

    async def from_lake(self, read: Callable[[], T]) -> T:
        """What `read` returns from the lake, called in its thread. Raises LakeError."""

        def checked() -> T:
            self.dependencies.lake.files.check()  # fails at once; a read is tried for minutes
            return read()

        try:
            with self.part("lake"):
                return await self._patiently(self._lake_thread, checked)
        except TimeoutError as error:
            raise LakeError(self._reason(error)) from error

    def part(self, name: str) -> AbstractContextManager[None]:
        """A part of a request, which shows in its trace."""
        tracing = self.dependencies.tracing
        return _UNTRACED if tracing is None else tracing.part(name)

    async def _patiently(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(thread, work)
        return await asyncio.wait_for(future, self.options.reach)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, PullriskError):
            return str(error.args[0])
        return f"no answer within {self.options.reach:g} seconds"

    def _read_store(self, read: "Callable[[PullStore], T]") -> T:
        """Read; where the store refuses, again with secrets that are read anew."""
        store = self.dependencies.store
        try:
            return read(store)
        except StoreError:
            secrets = self.dependencies.secrets
            if secrets is None or not (secrets.refresh() or self.dependencies.store is not store):
                raise
            return read(self.dependencies.store)

    def replace(self, *, store: "PullStore | None" = None, lake: "Lake | None" = None) -> None:
        """Go on with another store or lake: their secrets were rotated. Any thread may call."""
        if store is not None:
            before = self.dependencies.store
            self.dependencies = msgspec.structs.replace(self.dependencies, store=store)
            self._retry_store_at = 0.0
            self._store_thread.submit(before.close)  # after what is being read from it
        if lake is not None:
            self.dependencies = msgspec.structs.replace(self.dependencies, lake=lake)
            self.histories.move(lake)
            self._retry_lake_at = 0.0

    async def refresh_lake(self) -> None:
        """Move to the lake's newest version; what is in memory stays where that fails."""
        looking = asyncio.get_running_loop().run_in_executor(self._lake_thread, self._refresh_lake)
        done, _ = await asyncio.wait({looking}, timeout=self.options.reach)
        if not done and self.lake_seen:
            self.lake_failed(LakeError(self._reason(TimeoutError())))
        try:
            await looking
        except PullriskError as error:
            self.lake_failed(error)
        else:
            self.lake_fault = self.schema_conflict
            self.lake_seen = self.lake_seen or self.lake_fault is None
        self.metrics.stale.labels("lake").set(self.lake_fault is not None)
        self.measure()

    def close(self) -> None:
        """End the threads."""
        for thread in (self._lake_thread, self._store_thread):
            thread.shutdown(wait=False, cancel_futures=True)
        self.models.close()
        if self.dependencies.secrets is not None:
            self.dependencies.secrets.close()
        if self.dependencies.tracing is not None:
            self.dependencies.tracing.close()

    def _refresh_lake(self) -> None:
        lake = self.dependencies.lake
        lake.files.check()
        lake.refresh()
        misfit = lake.misfit
        self.schema_conflict = None if misfit is None else f"the lake has {misfit}"
        if misfit is None:
            self.histories.refresh()

    def _later_events(self, repository: str, moment: datetime) -> Sequence[Pull]:
        """What webhooks brought that no run has replayed yet; nothing if the store is away."""
        if self.dependencies.webhooks is None:
            return ()
        try:
            return self.dependencies.store.events_since(repository, moment)
        except StoreError as error:
            self.log.warning("store unreachable", error=str(error.args[0]))
            return ()

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
        if self.dependencies.secrets is not None:
            self.metrics.tell_secrets(self.dependencies.secrets.health().metrics())
        histories = self.histories.as_of()
        self.metrics.histories.set(len(histories))
        self.metrics.ready.set(self.histories.ready)
        moments = [as_of for _, as_of in histories if as_of is not None]
        if moments:  # no name of a repository: the page needs no key
            self.metrics.age.set((datetime.now(UTC) - max(moments)).total_seconds())
