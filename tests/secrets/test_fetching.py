"""`pullrisk fetch --watch` with secrets from Vault: what is rotated while it watches."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

pytest.importorskip("nx_27017", reason="nx-27017 is not installed")

from fake_github.accounts import Account
from fake_github.app import FakeGitHub
from fake_github.schema import NotInstalledError, github_schema
from fake_github.world import FakeRepository, World, load_sample
from pullrisk.pulls.mongo import MongoStore
from support.bao import Bao
from support.mongo import MongoStandIn
from support.mongo_gate import gate
from support.processes import until
from support.vault import MARK, install, put

KEDRO = "kedro-org/kedro"
STAGE = "data-fetch"
CLI = [sys.executable, "-c", "import sys; from pullrisk.cli import main; sys.exit(main())"]
Environment = Callable[..., dict[str, str]]


@dataclass
class Services:
    """GitHub and MongoDB, each with the secrets that it takes now, and where Vault has them."""

    bao: Bao
    github: FakeGitHub
    url: str
    repository: FakeRepository
    mongo: MongoStandIn
    gate: int
    passwords: list[str]

    def give(self, generation: int) -> None:
        """From now on this generation's token and password are good too."""
        self.github.accounts.tokens[token(generation)] = Account(limit=10**6)
        self.passwords.append(password(generation))

    def take(self, generation: int) -> None:
        """From now on they are not; the database drops who is connected."""
        del self.github.accounts.tokens[token(generation)]
        self.passwords.remove(password(generation))
        self.mongo.kill()
        self.mongo.start()

    def tell(self, generation: int) -> None:
        """Put them into Vault."""
        place = f"127.0.0.1:{self.gate}/pulls?authMechanism=SCRAM-SHA-256&connectTimeoutMS=500"
        uri = f"mongodb://fetcher:{password(generation)}@{place}"
        put(self.bao, f"mlops/{STAGE}", {"mongo_uri": uri, "github_token": token(generation)})

    def used(self, generation: int) -> bool:
        """Whether GitHub was asked with this generation's token."""
        return self.github.accounts.tokens[token(generation)].used > 0

    def stored(self) -> int:
        with MongoStore(f"{self.mongo.uri}pulls") as store:
            return sum(each.pulls for each in store.repositories())


def token(generation: int) -> str:
    return f"token-{generation}-{MARK}"


def password(generation: int) -> str:
    return f"password-{generation}-{MARK}"


@contextmanager
def serving(app: FakeGitHub) -> Iterator[str]:
    """The fake GitHub on a socket, in this process: its accounts can be changed meanwhile."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
    server, socket = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [socket]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


@pytest.fixture
def services(bao: Bao, vault_folder: Path, tmp_path: Path) -> Iterator[Services]:
    try:
        github_schema()
    except NotInstalledError as error:
        pytest.skip(str(error))
    world, passwords = World(), list[str]()
    repository = load_sample(world, KEDRO, first=30)
    app, mongo = FakeGitHub(world), MongoStandIn(tmp_path)
    mongo.start()
    with serving(app) as url, gate(mongo.port, user="fetcher", password=passwords) as port:
        found = Services(bao, app, url, repository, mongo, port, passwords)
        found.give(0)
        found.tell(0)
        yield found
    mongo.kill()
    install(bao, vault_folder)


@contextmanager
def watching(services: Services, variables: dict[str, str], log: Path) -> Iterator[None]:
    """`pullrisk fetch --watch`, which has to be there still at the end, and to have shown
    nothing.
    """
    own = {"PULLRISK_GITHUB_URL": services.url, "PULLRISK_HOME": str(log.parent)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*CLI, "fetch", KEDRO, "--watch", "--every=1"],
            env={"PATH": "/usr/bin:/bin", "PULLRISK_LOG_FORMAT": "json", **variables, **own},
            stdout=output,
            stderr=output,
        ) as process,
    ):
        try:
            yield
            assert process.poll() is None, log.read_text()
            seen = Path("/proc", str(process.pid))
            shown = [(seen / name).read_text() for name in ("cmdline", "environ")]
        finally:
            process.terminate()
            process.wait(timeout=30)
    assert process.returncode == 130, log.read_text()
    assert not any(MARK in text for text in (*shown, log.read_text()))


def test_rotated_secrets_are_used_before_the_old_ones_end(
    services: Services, environment: Environment, tmp_path: Path
) -> None:
    variables = environment(STAGE, VAULT_REREAD_SECONDS="0.2")
    with watching(services, variables, tmp_path / "log"):
        until(lambda: services.stored() == 30, seconds=30)
        services.give(1)
        services.tell(1)
        until(lambda: services.used(1), seconds=20)
        services.take(0)
        services.github.world.open_pull(services.repository)
        until(lambda: services.stored() == 31, seconds=30)


def test_refused_secrets_are_read_anew_at_once(
    services: Services, environment: Environment, tmp_path: Path
) -> None:
    variables = environment(STAGE, VAULT_REREAD_SECONDS="3600")
    with watching(services, variables, tmp_path / "log"):
        until(lambda: services.stored() == 30, seconds=30)
        services.give(1)
        services.tell(1)
        time.sleep(1.5)
        assert not services.used(1), "nobody told it"
        services.take(0)
        services.github.world.open_pull(services.repository)
        until(lambda: services.used(1) and services.stored() == 31, seconds=30)
