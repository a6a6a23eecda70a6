"""The model that answers, and how another takes its place without a dropped request.

The one that answered last lies in a file that all workers share: a worker that replaces a killed
one goes on with it while the registry is away or names a model that cannot be used.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from pullrisk import atomic
from pullrisk.errors import PullriskError
from pullrisk.model.bundle import Bundle
from pullrisk.serve import shapes

if TYPE_CHECKING:
    from pullrisk.serve.metrics import Metrics

NAME: Final = "last-good-model"


class LoadedModel(msgspec.Struct, frozen=True):
    """A model that answers: its bundle, its file's digest, and where it came from.

    `registered` is its version in the registry, None where it came from a file.
    """

    bundle: Bundle
    version: str
    source: str
    loaded_at: datetime
    registered: str | None = None

    @property
    def name(self) -> shapes.ModelName:
        """What each answer says of it."""
        return shapes.ModelName(self.version, self.bundle.metadata.schema_hash, self.registered)


def warm(bundle: Bundle) -> None:
    """Run the model once, so that the first request does not pay for it."""
    rows = np.zeros((2, len(bundle.metadata.features)), np.float32)
    bundle.score(rows)


class _Saved(msgspec.Struct, frozen=True, array_like=True):
    version: str
    source: str
    loaded_at: datetime
    registered: str | None
    data: bytes


class LastGood:
    """Keeps one model in a folder that all workers share."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def keep(self, model: LoadedModel) -> None:
        """Save it, atomically; if the disk is full, the one before stays."""
        data = model.bundle.data
        saved = _Saved(model.version, model.source, model.loaded_at, model.registered, data)
        with suppress(OSError):
            atomic.replace(self._path, msgspec.msgpack.encode(saved))

    def load(self) -> LoadedModel | None:
        """The model that was saved; None if none was. Raises ModelError."""
        try:
            saved = msgspec.msgpack.decode(self._path.read_bytes(), type=_Saved)
        except OSError:
            return None
        bundle = Bundle.of(saved.data, source=saved.source)
        return LoadedModel(bundle, saved.version, saved.source, saved.loaded_at, saved.registered)


class Models:
    """Loads models in a thread of their own; `fault` is why the last good one serves instead."""

    def __init__(
        self,
        load: Callable[[], LoadedModel],
        last_good: LastGood,
        *,
        metrics: "Metrics",
        log: Any,  # noqa: ANN401
    ) -> None:
        self._load, self._last_good = load, last_good
        self._metrics, self._log = metrics, log
        self._thread = ThreadPoolExecutor(1, "model")
        self.current: LoadedModel | None = None
        self.fault: str | None = None

    @property
    def loaded(self) -> LoadedModel:
        """The model that answers; there is one once the service has started."""
        if self.current is None:
            raise RuntimeError("the service has not started")
        return self.current

    async def start(self) -> None:
        """Load the first model. Raises ModelError if there is no last good one either."""
        loop = asyncio.get_running_loop()
        self._adopt(await loop.run_in_executor(self._thread, self._first))

    async def swap(self) -> str | None:
        """Load the model anew beside the present one; returns why that one stays, else None."""
        loop = asyncio.get_running_loop()
        try:
            model = await loop.run_in_executor(self._thread, self._load)
            await loop.run_in_executor(self._thread, warm, model.bundle)
        except Exception as error:
            self._metrics.swaps.labels("refused").inc()
            self._log.error("model refused", error=str(error))
            return (
                str(error.args[0]) if isinstance(error, PullriskError) else "a defect, see the log"
            )
        self.fault = None
        self._adopt(model)
        self.keep()
        return None

    def keep(self) -> None:
        """Save the model for the worker that may have to replace this one."""
        if self.fault is None:
            self._last_good.keep(self.loaded)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _first(self) -> LoadedModel:
        """The model of the settings, or else the last one that a worker saved."""
        try:
            return self._load()
        except PullriskError as error:
            saved = self._last_good.load()
            if saved is None:
                raise
            self.fault = str(error.args[0])
            self._log.error("model refused, the last good one serves", error=str(error))
            return saved

    def _adopt(self, model: LoadedModel) -> None:
        warm(model.bundle)
        before, self.current = self.current, model
        if before is not None:
            self._metrics.model.remove(*_labels(before))
        self._metrics.model.labels(*_labels(model)).set(1)
        self._metrics.swaps.labels("loaded").inc()
        self._metrics.stale.labels("model").set(self.fault is not None)
        self._log.info(
            "model loaded", version=model.version, registered=model.registered, source=model.source
        )


def _labels(model: LoadedModel) -> tuple[str, str, str]:
    return model.version, model.bundle.metadata.schema_hash, model.registered or ""
