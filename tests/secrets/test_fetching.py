"""`pullrisk fetch` with secrets from Vault, which are rotated while it runs."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("nx_27017", reason="nx-27017 is not installed")

from fake_github.accounts import Account
from fake_github.app import FakeGitHub
from fake_github.faults import Faults
from fake_github.schema import NotInstalledError, github_schema
from fake_github.world import FakeRepository, World, load_sample
from pullrisk.pulls.mongo import MongoStore
from support.bao import Bao
from support.loopback import listening
from support.mongo import MongoStandIn
from support.mongo_gate import gate
from support.processes import PATIENCE, PULLRISK, until
from support.vault import MARK, put, write_all

KEDRO = "kedro-org/kedro"
STAGE = "data-fetch"
PULLS_A_REQUEST = 100
"""GitHub's largest page: a repository that grows so fast is never read to its end."""
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
    grows: bool = True

    def grow(self, requests: int) -> None:
        """Keep the fetch busy: each request finds more pulls than the last answer held."""
        for _ in range(PULLS_A_REQUEST if self.grows else 0):
            self.github.world.open_pull(self.repository)

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
        place = f"127.0.0.1:{self.gate}/pulls?authMechanism=SCRAM-SHA-256"
        uri = f"mongodb://fetcher:{password(generation)}@{place}"
        put(self.bao, f"mlops/{STAGE}", {"mongo_uri": uri, "github_token": token(generation)})

    def used(self, generation: int) -> bool:
        """Whether GitHub was asked with this generation's token."""
        return self.points(generation) > 0

    def points(self, generation: int) -> int:
        """What this generation's token has spent."""
        return self.github.accounts.tokens[token(generation)].used

    def stored(self) -> int:
        with MongoStore(f"{self.mongo.uri}pulls") as store:
            return sum(each.pulls for each in store.repositories())


def token(generation: int) -> str:
    return f"token-{generation}-{MARK}"


def password(generation: int) -> str:
    return f"password-{generation}-{MARK}"


@pytest.fixture
def services(bao: Bao, tmp_path: Path) -> Iterator[Services]:
    try:
        github_schema()
    except NotInstalledError as error:
        pytest.skip(str(error))
    world, passwords = World(), list[str]()
    repository = load_sample(world, KEDRO, first=30)
    app, mongo = FakeGitHub(world, faults=Faults(delay=0.2)), MongoStandIn(tmp_path)
    mongo.start()
    with listening(app) as url, gate(mongo.port, user="fetcher", password=passwords) as port:
        found = Services(bao, app, url, repository, mongo, port, passwords)
        found.give(0)
        found.tell(0)
        app.on_request = found.grow
        yield found
    mongo.kill()
    write_all(bao)


@contextmanager
def fetching(services: Services, variables: dict[str, str], log: Path) -> Iterator[None]:
    """`pullrisk fetch` of a repository that grows until the block ends; then it has to end well,
    with everything stored, and must have shown no secret.
    """
    own = {"PULLRISK_GITHUB_URL": services.url, "PULLRISK_HOME": str(log.parent)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*PULLRISK, "fetch", KEDRO],
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
            services.grows, services.github.faults.delay = False, 0.0
            process.wait(PATIENCE)
        finally:
            process.kill()
    assert process.returncode == 0, log.read_text()
    assert services.stored() == len(services.repository.pulls)
    assert not any(MARK in text for text in (*shown, log.read_text()))


def test_rotated_secrets_are_used_before_the_old_ones_end(
    services: Services, environment: Environment, tmp_path: Path
) -> None:
    variables = environment(STAGE, VAULT_REREAD_SECONDS="0.2")
    with fetching(services, variables, tmp_path / "log"):
        until(lambda: services.stored() > 0)
        services.give(1)
        services.tell(1)
        until(lambda: services.used(1))
        services.take(0)
        before = services.stored()
        until(lambda: services.stored() > before)


def test_refused_secrets_are_read_anew_at_once(
    services: Services, environment: Environment, tmp_path: Path
) -> None:
    variables = environment(STAGE, VAULT_REREAD_SECONDS="3600")
    with fetching(services, variables, tmp_path / "log"):
        until(lambda: services.stored() > 0)
        services.give(1)
        services.tell(1)
        before = services.points(0)
        until(lambda: services.points(0) > before + 5)
        assert not services.used(1), "nobody told it"
        services.take(0)
        until(lambda: services.used(1))
