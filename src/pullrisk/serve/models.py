"""The model that answers, and how another takes its place without a dropped request."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pullrisk.errors import PullriskError
from pullrisk.serve.dependencies import Dependencies
from pullrisk.serve.loaded_model import LoadedModel, warm
from pullrisk.serve.metrics import Metrics


class Models:
    """Loads models in a thread of their own; `fault` is why the last good one serves instead."""

    def __init__(self, dependencies: Dependencies, *, metrics: Metrics, log: Any) -> None:  # noqa: ANN401
        self._load, self._last_good = dependencies.load_model, dependencies.last_good
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
        if self._last_good is not None and self.fault is None:
            self._last_good.keep(self.loaded)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _first(self) -> LoadedModel:
        """The model of the settings, or else the last one that a worker saved."""
        try:
            return self._load()
        except PullriskError as error:
            saved = None if self._last_good is None else self._last_good.load()
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
