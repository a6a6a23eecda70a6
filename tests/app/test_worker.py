"""What becomes of deliveries that a worker takes from the queue."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import structlog

from pullrisk.app.handling import Handler
from pullrisk.app.worker import ATTEMPTS, PATIENCE, Worker, waiting
from pullrisk.brief.make import KnownHunks
from pullrisk.brief.result import Brief
from pullrisk.errors import InputError, StoreError
from pullrisk.fetch.github.failures import Limited, Transient
from pullrisk.model.metadata import OperatingPoints
from pullrisk.publish.api import Confirm
from pullrisk.pulls.deliveries import Delivery, DeliveryState, Lease
from pullrisk.pulls.deliveries_sqlite import SqliteDeliveries
from pullrisk.pulls.record import Pull
from pullrisk.serve.metrics import Metrics
from support import processes
from support.app import AppRig, about_pull, brief_of, delivery_of

SECOND = timedelta(seconds=1)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SqliteDeliveries]:
    opened = SqliteDeliveries(tmp_path / "pulls.sqlite")
    yield opened
    opened.close()


def delivery(number: int, *, age: timedelta = SECOND, subject: str = "") -> Delivery:
    return Delivery(
        id=f"id-{number}",
        event="pull_request",
        subject=subject or f"pull:{number}",
        body=b"%d" % number,
        received_at=datetime.now(UTC) - age,
    )


class Recorder:
    """Handles deliveries: notes them, and raises what is to be raised, once each."""

    def __init__(self, *errors: Exception) -> None:
        self.handled: list[str] = []
        self._errors = list(errors)

    async def __call__(self, delivery: Delivery, confirm: Confirm) -> None:
        self.handled.append(delivery.id)
        await asyncio.sleep(0)
        if self._errors:
            raise self._errors.pop(0)


def work(
    queue: SqliteDeliveries,
    handle: Any,
    until: Callable[[], object],
    **options: Any,
) -> None:
    """Let a worker run until something holds; see `working` for the options."""
    asyncio.run(working(queue, handle, until, **options))


async def working(
    queue: SqliteDeliveries,
    handle: Any,
    until: Callable[[], object],
    *,
    at_once: int = 2,
    lease: float = 60,
) -> None:
    """A worker that ends when something holds."""
    worker = Worker(
        queue,
        handle,
        at_once=at_once,
        lease=lease,
        log=structlog.get_logger().bind(),
        metrics=Metrics(),
    )
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(processes.PATIENCE):
            while not until():
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def only(queue: SqliteDeliveries) -> DeliveryState:
    (state,) = queue.states()
    return state


def test_all_are_handled_and_done(queue: SqliteDeliveries) -> None:
    recorder = Recorder()
    for number in range(9):
        queue.add(delivery(number, subject=f"pull:{number % 2}"))
    work(queue, recorder, lambda: queue.counts()["done"] == 9)
    assert sorted(recorder.handled) == [f"id-{number}" for number in range(9)]


@pytest.mark.parametrize("error", [Transient("away"), StoreError("away"), TimeoutError()])
def test_what_is_away_is_waited_for_and_counts_as_no_attempt(
    queue: SqliteDeliveries, error: Exception
) -> None:
    begun = datetime.now(UTC)
    queue.add(delivery(1, age=timedelta(hours=1)))
    work(queue, Recorder(error), lambda: only(queue).error)
    state = only(queue)
    assert (state.state, state.attempts) == ("waiting", 0)
    assert state.due_at >= begun + timedelta(seconds=300)


def test_a_limit_stops_the_whole_worker(queue: SqliteDeliveries) -> None:
    recorder = Recorder(Limited("slow down", 600.0))
    for number in (1, 2):
        queue.add(delivery(number, age=timedelta(seconds=9 - number)))
    work(queue, recorder, lambda: any(each.error for each in queue.states()), at_once=1)
    assert recorder.handled == ["id-1"]


def test_another_failure_is_given_up_after_some_attempts(queue: SqliteDeliveries) -> None:
    queue.add(delivery(1))
    begun = datetime.now(UTC)
    for attempt in range(1, ATTEMPTS + 1):
        state = only(queue)
        if state.attempts:
            assert state.due_at >= begun + timedelta(seconds=5)
            lease = queue.lease(now=state.due_at, seconds=1)
            assert lease is not None
            queue.give_back(lease, due=datetime.now(UTC), error=None, counted=False)
        begun = datetime.now(UTC)
        work(queue, Recorder(InputError("broken")), lambda: only(queue).error == "broken")
        assert only(queue).attempts == attempt
    assert only(queue).state == "dead"


def test_nobody_waits_for_ever(queue: SqliteDeliveries) -> None:
    queue.add(delivery(1, age=PATIENCE + SECOND))
    work(queue, Recorder(Transient("away")), lambda: only(queue).state == "dead")
    assert only(queue).error == "away"


def test_a_delivery_that_ends_each_process_is_given_up(queue: SqliteDeliveries) -> None:
    queue.add(delivery(1, age=timedelta(hours=10)))
    for number in range(ATTEMPTS):  # each is killed
        killed_at = datetime.now(UTC) - timedelta(hours=9 - number)
        assert queue.lease(now=killed_at, seconds=1) is not None
    recorder = Recorder()
    work(queue, recorder, lambda: only(queue).state == "dead")
    assert recorder.handled == []


def test_a_worker_that_stops_gives_back_what_it_has(queue: SqliteDeliveries) -> None:
    queue.add(delivery(1))
    begun: list[str] = []

    async def never(delivery: Delivery, confirm: Confirm) -> None:
        begun.append(delivery.id)
        await asyncio.Event().wait()

    work(queue, never, lambda: begun)
    assert (only(queue).state, only(queue).attempts) == ("waiting", 0)
    assert queue.lease(now=datetime.now(UTC), seconds=1) is not None


class Later(SqliteDeliveries):
    """The queue as it will be when the leases of now are over."""

    def lease(self, *, now: datetime, seconds: float) -> Lease | None:
        return super().lease(now=now + timedelta(seconds=61), seconds=seconds)


def test_a_process_that_was_paused_publishes_nothing_once_another_has_its_delivery(
    queue: SqliteDeliveries, rig: AppRig
) -> None:
    number = rig.world.open_pull(rig.repository)
    queue.add(delivery_of("pull_request", about_pull(rig.repository, number)))
    paused, goes_on = Event(), Event()

    async def stopping(pull: Pull, points: OperatingPoints | None, diffs: KnownHunks) -> Brief:
        paused.set()
        goes_on.wait(processes.PATIENCE)  # the whole loop stands still
        return brief_of(pull, verdict="Out of date.")

    async def first(handler: Handler) -> None:
        async def handle(delivery: Delivery, confirm: Confirm) -> None:
            try:
                await handler.handle(delivery, confirm)
            finally:
                ended.append(delivery.id)

        await working(queue, handle, lambda: ended)

    async def second(handler: Handler) -> None:
        with closing(Later(queue.path)) as later:
            await working(later, handler.handle, lambda: later.counts()["done"])

    ended: list[str] = []
    rig.briefs = stopping
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(rig.run, first)
        assert paused.wait(processes.PATIENCE)
        rig.briefs = rig.brief
        try:
            rig.run(second)
        finally:
            goes_on.set()
        slow.result()
    assert [check["output"]["title"] for check in rig.checks] == ["Likely to need a fix: 34 %."]
    assert [brief.verdict for brief in rig.kept] == ["Likely to need a fix: 34 %."]
    assert only(queue).state == "done"


def test_a_worker_that_stops_while_it_leases_gives_back_what_it_gets(
    queue: SqliteDeliveries,
) -> None:
    queue.add(delivery(1))
    leasing, goes_on = Event(), Event()

    class Slow(SqliteDeliveries):
        def lease(self, *, now: datetime, seconds: float) -> Lease | None:
            leasing.set()
            goes_on.wait(processes.PATIENCE)
            return super().lease(now=now, seconds=seconds)

    async def stop_while_it_leases(slow: Slow) -> None:
        task = asyncio.create_task(working(slow, Recorder(), lambda: False, at_once=1))
        await asyncio.to_thread(leasing.wait, processes.PATIENCE)
        task.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        await asyncio.gather(task, return_exceptions=True)

    with closing(Slow(queue.path)) as slow:
        asyncio.run(stop_while_it_leases(slow))
    assert (only(queue).state, only(queue).attempts) == ("waiting", 0)
    assert queue.lease(now=datetime.now(UTC), seconds=1) is not None


def test_what_takes_too_long_ends_before_the_lease(queue: SqliteDeliveries) -> None:
    queue.add(delivery(1))

    async def never(delivery: Delivery, confirm: Confirm) -> None:
        await asyncio.Event().wait()

    work(queue, never, lambda: only(queue).error, at_once=1, lease=0.5)
    assert only(queue).error == "handling took too long"


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(timedelta(0), 5.0), (timedelta(minutes=4), 60.0), (timedelta(days=1), 300.0)],
)
def test_the_wait_grows_with_the_age(age: timedelta, seconds: float) -> None:
    assert waiting(age) == seconds
