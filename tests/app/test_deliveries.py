"""What every queue of deliveries must do; a new adapter adds itself to QUEUES."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from pullrisk.pulls.deliveries import RETENTION, Delivery, DeliveryQueue, Lease
from pullrisk.pulls.deliveries_mongo import MongoDeliveries
from pullrisk.pulls.deliveries_sqlite import SqliteDeliveries
from pullrisk.pulls.sqlite import SqliteStore

QUEUES = ("sqlite", "mongo")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(params=QUEUES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], DeliveryQueue]:
    """Opens the same queue, again at each call."""
    if request.param == "sqlite":
        return lambda: SqliteDeliveries(tmp_path / "new" / "pulls.sqlite")
    uri: str = request.getfixturevalue("mongo_uri")
    return lambda: MongoDeliveries(uri)


@pytest.fixture
def queue(reopen: Callable[[], DeliveryQueue]) -> Iterator[DeliveryQueue]:
    opened = reopen()
    yield opened
    opened.close()


def delivery(number: int, *, subject: str | None = None, urgent: bool = False) -> Delivery:
    return Delivery(
        id=f"id-{number}",
        event="pull_request",
        subject=subject or f"pull:{number}",
        body=b"body %d" % number,
        received_at=NOW + number * SECOND,
        urgent=urgent,
    )


def lease(queue: DeliveryQueue, *, at: datetime = NOW + 100 * SECOND) -> Lease | None:
    return queue.lease(now=at, seconds=60)


def leased(queue: DeliveryQueue, *, at: datetime = NOW + 100 * SECOND) -> Lease:
    taken = lease(queue, at=at)
    assert taken is not None
    return taken


def test_deliveries_come_in_their_order_the_urgent_first(queue: DeliveryQueue) -> None:
    for each in (delivery(2), delivery(1), delivery(3, urgent=True)):
        assert queue.add(each) == "queued"
    assert [leased(queue).delivery for _ in range(3)] == [
        delivery(3, urgent=True),
        delivery(1),
        delivery(2),
    ]
    assert lease(queue) is None


def test_a_delivery_is_known_by_its_id_and_by_what_was_signed(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    assert queue.add(msgspec.structs.replace(delivery(1), body=b"another")) == "known"
    assert queue.add(msgspec.structs.replace(delivery(1), id="forged")) == "known"
    queue.finish(leased(queue))
    assert queue.add(delivery(1)) == "known"
    assert lease(queue) is None


def test_two_of_one_subject_are_never_handled_at_once(queue: DeliveryQueue) -> None:
    queue.add(delivery(1, subject="pull:7"))
    queue.add(delivery(2, subject="pull:7"))
    first = leased(queue)
    assert lease(queue) is None
    queue.finish(first)
    assert leased(queue).delivery.id == "id-2"


def test_who_was_killed_loses_the_lease_with_time(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    lost = leased(queue, at=NOW + 10 * SECOND)
    assert lease(queue, at=NOW + 69 * SECOND) is None
    again = leased(queue, at=NOW + 71 * SECOND)
    assert (again.delivery, again.attempts) == (delivery(1), 2)
    queue.give_back(lost, due=NOW, error="too late", counted=True)
    assert lease(queue, at=NOW + 72 * SECOND) is None, "it is the other's"


def test_a_lease_is_renewed_until_it_has_ended(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    held = leased(queue, at=NOW + 10 * SECOND)
    assert queue.renew(held, now=NOW + 60 * SECOND, seconds=60)
    assert lease(queue, at=NOW + 119 * SECOND) is None
    assert not queue.renew(held, now=NOW + 120 * SECOND, seconds=60), "it has ended"
    assert lease(queue, at=NOW + 121 * SECOND) is not None
    assert not queue.renew(held, now=NOW + 121 * SECOND, seconds=60), "it is the other's"


def test_who_lost_a_lease_changes_nothing(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    lost = leased(queue, at=NOW + 10 * SECOND)
    again = leased(queue, at=NOW + 71 * SECOND)
    queue.finish(lost)
    queue.bury(lost, "too late")
    (state,) = queue.states()
    assert (state.state, state.error) == ("waiting", None)
    queue.finish(again)
    assert queue.counts() == {"waiting": 0, "done": 1, "dead": 0}


def test_what_ended_unnoticed_is_done_while_nobody_else_has_it(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    queue.finish(leased(queue, at=NOW + 10 * SECOND))
    assert lease(queue, at=NOW + 100 * SECOND) is None


def test_what_is_given_back_waits_until_it_is_due(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    due = NOW + 200 * SECOND
    queue.give_back(leased(queue), due=due, error="GitHub is away", counted=False)
    (state,) = queue.states("waiting")
    assert (state.error, state.attempts, state.due_at) == ("GitHub is away", 0, due)
    assert lease(queue, at=due - SECOND) is None
    assert leased(queue, at=due).attempts == 1


def test_the_dead_stay_until_somebody_repeats_them(queue: DeliveryQueue) -> None:
    for number in (1, 2, 3):
        queue.add(delivery(number))
        queue.bury(leased(queue), "no way")
    assert lease(queue) is None
    assert [state.id for state in queue.states("dead")] == ["id-3", "id-2", "id-1"]
    assert queue.counts() == {"waiting": 0, "done": 0, "dead": 3}
    assert queue.repeat(["id-1", "unknown"], now=NOW) == 1
    assert leased(queue).attempts == 1
    assert queue.repeat(None, now=NOW) == 2
    assert queue.counts() == {"waiting": 3, "done": 0, "dead": 0}


def test_the_oldest_is_the_first_that_waits(queue: DeliveryQueue) -> None:
    assert queue.oldest() is None
    for number in (2, 1):
        queue.add(delivery(number))
    assert queue.oldest() == NOW + SECOND
    queue.finish(leased(queue))
    assert queue.oldest() == NOW + 2 * SECOND


def test_github_may_repeat_a_dead_one(queue: DeliveryQueue) -> None:
    queue.add(delivery(1))
    queue.bury(leased(queue), "no way")
    assert queue.add(delivery(1)) == "repeated"
    assert leased(queue).delivery.body == b"body 1"


def test_old_ones_are_deleted_but_none_that_waits(queue: DeliveryQueue) -> None:
    for number in (1, 2):
        queue.add(delivery(number))
    queue.finish(leased(queue))
    assert queue.prune(NOW + RETENTION) == 0
    assert queue.prune(NOW + RETENTION + 5 * SECOND) == 1
    assert [state.id for state in queue.states()] == ["id-2"]


def test_it_outlives_who_opened_it(reopen: Callable[[], DeliveryQueue]) -> None:
    first = reopen()
    first.add(delivery(1))
    first.close()
    second = reopen()
    assert leased(second).delivery == delivery(1)
    second.close()


def test_each_is_leased_to_one_of_many_workers(reopen: Callable[[], DeliveryQueue]) -> None:
    queue = reopen()
    for number in range(24):
        queue.add(delivery(number, subject=f"pull:{number % 9}"))
    queue.close()

    def work(_: int) -> list[str]:
        own, done = reopen(), list[str]()
        while own.counts()["waiting"]:
            taken = lease(own)
            if taken is not None:
                done.append(taken.delivery.id)
                own.finish(taken)
        own.close()
        return done

    with ThreadPoolExecutor(4) as threads:
        done = Counter(name for names in threads.map(work, range(4)) for name in names)
    assert done == Counter(f"id-{number}" for number in range(24))


def test_a_store_of_pulls_is_left_alone(tmp_path: Path) -> None:
    queue = SqliteDeliveries(tmp_path / "pulls.sqlite")
    queue.add(delivery(1))
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        assert store.repositories() == []
        store.upsert([], checkpoint=("key", {"a": 1}))
        assert store.checkpoint("key") == {"a": 1}
    queue.close()
