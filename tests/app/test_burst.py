"""Many deliveries at once, workers killed in their midst, GitHub away: none lost, none twice.

PULLRISK_TEST_BURST names another number of deliveries than the usual one.
"""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from time import monotonic

import httpx
import psutil
import pytest

from fake_github.app import FakeGitHub
from fake_github.faults import Faults
from fake_github.world import World
from pullrisk.pulls.deliveries import DeliveryQueue
from pullrisk.pulls.deliveries_mongo import MongoDeliveries
from pullrisk.pulls.deliveries_sqlite import SqliteDeliveries
from support.app import INSTALLATION, about_pull, app_environment, signed_headers
from support.loopback import listening
from support.processes import PATIENCE, until
from support.serving import Served, make_home, served

NAME = "kedro-org/kedro"
BURST = int(os.environ.get("PULLRISK_TEST_BURST", "24"))
LEASE = 6.0


@pytest.fixture
def github(app_key: tuple[str, bytes]) -> FakeGitHub:
    world = World()
    repository = world.add(NAME)
    made = FakeGitHub(world)
    made.accounts.app_key, made.accounts.app_installations = app_key[1], (INSTALLATION,)
    for _ in range(BURST):
        world.open_pull(repository)
    return made


@pytest.fixture(params=["sqlite", "mongo"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DeliveryQueue]:
    """The service's own queue, opened beside it."""
    if request.param == "sqlite":
        opened: DeliveryQueue = SqliteDeliveries(tmp_path / "home" / "pulls.sqlite")
    else:
        opened = MongoDeliveries(request.getfixturevalue("mongo_uri"))
    yield opened
    opened.close()


@pytest.fixture
def service(
    github: FakeGitHub,
    app_key: tuple[str, bytes],
    queue: DeliveryQueue,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> Iterator[Served]:
    home = make_home(tmp_path / "home", pulls=60)
    with listening(github) as url:
        environment = app_environment(url, app_key) | {"PULLRISK_APP__LEASE": str(LEASE)}
        if isinstance(queue, MongoDeliveries):
            environment["PULLRISK_STORE"] = request.getfixturevalue("mongo_uri")
        with served(home, environment=environment, workers=2) as one:
            yield one


def deliver(service: Served, body: bytes, name: str) -> float:
    """Deliver, and again where the connection broke; the seconds that the answer took."""
    headers = signed_headers(body, "pull_request", name=name)
    end = monotonic() + PATIENCE
    while True:
        started = monotonic()
        try:
            answer = httpx.post(f"{service.url}/webhooks/github", content=body, headers=headers)
        except httpx.TransportError:
            assert monotonic() < end
            continue
        assert answer.status_code in {200, 202}, answer.text
        return monotonic() - started


def deliver_all(service: Served, github: FakeGitHub) -> list[float]:
    """Every pull's opening twice, as if GitHub had delivered it again, in two orders."""
    repository = github.world.named(NAME)
    assert repository is not None
    bodies = {f"delivery-{n}": about_pull(repository, n) for n in repository.pulls}
    names = [*bodies, *reversed(bodies)]
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(lambda name: deliver(service, bodies[name], name), names))


def kill_a_worker(service: Served) -> None:
    for child in psutil.Process(service.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "resource_tracker" not in " ".join(child.cmdline()):
                child.kill()
                return


def assert_each_published_once(queue: DeliveryQueue, github: FakeGitHub) -> None:
    until(lambda: queue.counts()["done"] == BURST, seconds=3 * PATIENCE, explain=queue.counts)
    published = Counter(run["external_id"] for run in github.published.checks)
    assert len(published) == BURST
    assert set(published.values()) == {1}


def test_each_delivery_is_published_once_though_workers_are_killed(
    service: Served, github: FakeGitHub, queue: DeliveryQueue
) -> None:
    with ThreadPoolExecutor(1) as threads:
        delivering = threads.submit(deliver_all, service, github)
        for share in (0.2, 0.6):
            until(lambda share=share: len(github.published.checks) >= share * BURST)  # type: ignore[misc]
            kill_a_worker(service)
        seconds = delivering.result()
    assert_each_published_once(queue, github)
    print(f"{len(seconds)} answers; the slowest took {sorted(seconds)[-5:]} s")


@pytest.mark.parametrize("queue", ["sqlite"], indirect=True)
def test_nothing_is_lost_while_github_is_away(
    service: Served, github: FakeGitHub, queue: DeliveryQueue
) -> None:
    github.rest_faults = Faults(rates={"503": 0.6, "cut": 0.4})
    deliver_all(service, github)
    until(lambda: service.events("delivery failed"))
    assert queue.counts()["dead"] == 0
    github.rest_faults = Faults()
    assert_each_published_once(queue, github)
