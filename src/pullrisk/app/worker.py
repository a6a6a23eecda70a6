"""Takes deliveries from the queue and has them handled, several at a time.

A delivery ends in one of four ways:

    handled            it is done
    GitHub or the store fails for a moment, or limits: it waits, ever longer, for up to `PATIENCE`
    another failure    it waits likewise, but is given up after `ATTEMPTS`
    the process stops  it is given back at once; if the process is killed, when the lease is over

A process may be paused for longer than its lease, and another may have the delivery by then. So the
lease is renewed before each change, and what lost it changes nothing more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pullrisk.errors import LakeError, PullriskError, StoreError
from pullrisk.fetch.github.failures import Failure, Limited, Transient
from pullrisk.publish.api import Confirm
from pullrisk.pulls.deliveries import Delivery, DeliveryQueue, Lease, LeaseLost
from pullrisk.serve.metrics import Metrics

ATTEMPTS: Final = 8
"""How often a delivery is tried that fails for another reason than that something is away."""
PATIENCE: Final = timedelta(days=3)
"""How long a delivery waits for GitHub, the store or the lake to come back."""
_FIRST_WAIT, _LONGEST_WAIT = 5.0, 300.0
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 900.0
_SHARE_OF_LEASE: Final = 0.8
"""Of the lease, what handling may take: then the next one cannot begin before this one ended."""
_LOOK: Final = 1.0
"""Seconds between looks at an empty queue: other processes add to it without telling."""
_PRUNE, _MEASURE = 3_600.0, 15.0
_PASSING: Final = (Limited, Transient, StoreError, LakeError, TimeoutError)

Handle = Callable[[Delivery, Confirm], Awaitable[None]]


class Worker:
    """The deliveries that one process handles, at most `at_once` at a time."""

    def __init__(
        self,
        queue: DeliveryQueue,
        handle: Handle,
        *,
        at_once: int,
        lease: float,
        log: Any,  # noqa: ANN401
        metrics: Metrics,
    ) -> None:
        self._queue, self._handle = queue, handle
        self._log, self._metrics = log, metrics
        self._at_once, self._lease = at_once, lease
        self._added = asyncio.Event()
        self._resumes_at = 0.0

    def wake(self) -> None:
        """Something was added: look at once. To be called in the event loop."""
        self._added.set()

    async def run(self) -> None:
        """Handle deliveries until this is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._prune())
            group.create_task(self._measure())
            for _ in range(self._at_once):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(self._resumes_at - asyncio.get_running_loop().time())
            try:
                lease = await self._next()
            except Exception as error:
                self._log.warning("deliveries unreachable", error=_reason(error))
                lease = None
            if lease is None:
                await self._wait()
            else:
                await self._attempt(lease)

    async def _next(self) -> Lease | None:
        """The next lease; one that comes when this is cancelled already is given back."""
        leasing = asyncio.create_task(
            asyncio.to_thread(self._queue.lease, now=datetime.now(UTC), seconds=self._lease)
        )
        try:
            return await asyncio.shield(leasing)
        except asyncio.CancelledError:
            with suppress(Exception):
                if (lease := await leasing) is not None:
                    self._release(lease)
            raise

    def _release(self, lease: Lease) -> None:
        """Give it back at once; if that fails, the lease ends by itself."""
        with suppress(PullriskError):
            self._queue.give_back(lease, due=datetime.now(UTC), error=None, counted=False)

    async def _wait(self) -> None:
        """Until something was added, or for a moment."""
        self._added.clear()
        try:
            await asyncio.wait_for(self._added.wait(), _LOOK)
        except TimeoutError:
            return

    async def _attempt(self, lease: Lease) -> None:
        delivery = lease.delivery
        if lease.attempts > ATTEMPTS:
            await self._noted(
                lambda: self._queue.bury(lease, "the process ended each time it was handled")
            )
            return
        try:
            async with asyncio.timeout(self._lease * _SHARE_OF_LEASE):
                await self._handle(delivery, lambda: self._confirm(lease))
        except asyncio.CancelledError:
            self._release(lease)
            raise
        except LeaseLost:
            self._log.warning("delivery lost", id=delivery.id, subject=delivery.subject)
        except Exception as error:
            await self._failed(lease, error)
        else:
            await self._noted(lambda: self._queue.finish(lease))
            self._metrics.deliveries.labels("handled").inc()
            self._log.info("delivery handled", id=delivery.id, subject=delivery.subject)

    async def _confirm(self, lease: Lease) -> None:
        """Renew the lease of what is handled. Raises LeaseLost, or StoreError."""
        now = datetime.now(UTC)
        if not await asyncio.to_thread(self._queue.renew, lease, now=now, seconds=self._lease):
            raise LeaseLost

    async def _failed(self, lease: Lease, error: Exception) -> None:
        delivery, now = lease.delivery, datetime.now(UTC)
        reason = _reason(error)
        passing = isinstance(error, _PASSING)
        over = now - delivery.received_at > PATIENCE if passing else lease.attempts >= ATTEMPTS
        self._log.warning(
            "delivery failed", id=delivery.id, subject=delivery.subject, error=reason, given_up=over
        )
        self._metrics.deliveries.labels("dead" if over else "failed").inc()
        if over:
            await self._noted(lambda: self._queue.bury(lease, reason))
            return
        if passing:
            self._pause(error)
            wait = waiting(now - delivery.received_at)
        else:
            wait = min(_FIRST_WAIT * 2.0 ** (lease.attempts - 1), _LONGEST_WAIT)
        due = now + timedelta(seconds=wait)
        await self._noted(
            lambda: self._queue.give_back(lease, due=due, error=reason, counted=not passing)
        )

    def _pause(self, error: Exception) -> None:
        """Ask nothing at all for as long as GitHub's limit lasts."""
        if isinstance(error, Limited):
            seconds = min(error.seconds or _FIRST_PAUSE, _LONGEST_PAUSE)
            self._resumes_at = asyncio.get_running_loop().time() + seconds

    async def _noted(self, note: Callable[[], object]) -> None:
        """Write to the queue; if that fails, the lease ends by itself and all is done again."""
        try:
            await asyncio.to_thread(note)
        except PullriskError as error:
            self._log.warning("deliveries unreachable", error=str(error))

    async def _measure(self) -> None:
        while True:
            await self._noted(self._tell_queue)
            await asyncio.sleep(_MEASURE)

    def _tell_queue(self) -> None:
        oldest = self._queue.oldest()
        age = timedelta(0) if oldest is None else datetime.now(UTC) - oldest
        self._metrics.tell_queue(dead=self._queue.counts()["dead"], age=age.total_seconds())

    async def _prune(self) -> None:
        while True:
            await self._noted(lambda: self._queue.prune(datetime.now(UTC)))
            await asyncio.sleep(_PRUNE)


def waiting(age: timedelta) -> float:
    """Seconds until a delivery of this age is tried again, if what it needs is away."""
    return min(max(_FIRST_WAIT, age.total_seconds() / 4), _LONGEST_WAIT)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "handling took too long"
    if isinstance(error, PullriskError):
        return str(error.args[0])
    return str(error) if isinstance(error, Failure) else f"{type(error).__name__}: {error}"
