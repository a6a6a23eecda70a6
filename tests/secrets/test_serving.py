"""The service with all that it has in production: what rotates, what goes away, what shows."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest

pytest.importorskip("nx_27017", reason="nx-27017 is not installed")
pytest.importorskip("mlflow", reason="the extra train is not installed")

from support.bao import Bao
from support.processes import PATIENCE, until
from support.production import Production, production, register
from support.serving import Served, opened, served
from support.vault import MARK, write_all

ROTATIONS = int(os.environ.get("PULLRISK_TEST_ROTATIONS", "3"))
"""How often everything is rotated under load; `make drill-secrets` does it 50 times."""
KEY = f"key-{MARK}"
PASSWORD = f"password-{MARK}"
STAGE = "model-serving"
Environment = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with production(tmp_path_factory.mktemp("production"), password=PASSWORD) as running:
        yield running


@pytest.fixture
def vault(bao: Bao, servers: Production) -> Iterator[Bao]:
    """A Vault that holds what the service needs."""
    servers.passwords[:] = [PASSWORD]
    servers.store_in(bao, keys=[KEY], password=PASSWORD)
    yield bao
    write_all(bao)


@pytest.fixture
def service(
    vault: Bao, environment: Environment, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Served]:
    """`pullrisk serve` as in a cluster: all it knows comes from Vault.

    A parameter is the seconds that it waits for lake and store.
    """
    own = environment(STAGE, VAULT_REREAD_SECONDS="0.2")
    settings = {"refresh": 0.3, "reach": getattr(request, "param", 60), "workers": 1}
    with served(tmp_path / "home", "--model", "@champion", environment=own, **settings) as one:
        yield one


def client(one: Served, key: str = KEY) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=one.url, headers=headers, timeout=PATIENCE)


class Load:
    """Users who ask without a pause until the block ends: `failures` is what went wrong."""

    def __init__(self, one: Served, key: str = KEY, users: int = 2) -> None:
        self.failures: list[str] = []
        self.versions: set[str] = set()
        self._service, self._key = one, key
        self._answered = [0] * users
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(user,)) for user in range(users)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def settle(self, *, key: str | None = None) -> None:
        """Take another key, and wait until whatever is being asked was begun after that."""
        self._key = key or self._key
        before = list(self._answered)
        # The next answer may be to a request that is under way, the one after it is not.
        until(lambda: all(n >= b + 2 for n, b in zip(self._answered, before, strict=True)))

    def _ask(self, user: int) -> None:
        kind, stored = 0, f"/v1/pulls/kedro-org/kedro/{opened(place=100)['number']}"
        with client(self._service) as asking:
            while not self._stop.is_set():
                headers = {"authorization": f"Bearer {self._key}"}
                try:
                    answered = self._one(asking, kind, stored, headers)
                    expected = 400 if kind == 5 else 200
                    if answered.status_code != expected:
                        self.failures.append(f"{kind}: {answered.status_code} {answered.text}")
                except httpx.TransportError as error:
                    self.failures.append(f"{kind}: {error!r}")
                self._answered[user] += 1
                kind = (kind + 1) % 6

    def _one(
        self, asking: httpx.Client, kind: int, stored: str, headers: dict[str, str]
    ) -> httpx.Response:
        if kind == 0:
            answered = asking.post("/v1/score?explain=false", json=opened(), headers=headers)
            if answered.status_code == 200:
                self.versions.add(answered.json()["model"]["registered"])
            return answered
        if kind == 1:
            return asking.post("/v1/score", json=opened(), headers=headers)
        if kind == 5:
            return asking.post("/v1/score", content=b"{", headers=headers)
        return asking.get((stored, "/v1/pulls?limit=50", "/v1/model")[kind - 2], headers=headers)


def status(one: Served, key: str) -> int:
    """What somebody with this key is answered."""
    headers = {"x-api-key": key}
    return httpx.get(f"{one.url}/v1/model", headers=headers, timeout=PATIENCE).status_code


def test_it_serves_from_mongodb_s3_vault_and_a_remote_mlflow(
    service: Served, servers: Production
) -> None:
    with client(service) as asking:
        found = asking.post("/v1/score", json=opened()).json()
        assert found["scores"][0]["basis"] == "history"
        assert found["model"]["registered"].isdecimal()  # another test may have registered more
        number = opened(place=100)["number"]
        stored = asking.get(f"/v1/pulls/kedro-org/kedro/{number}").json()
        assert stored["scores"][0]["basis"] == "row"
        assert asking.get("/v1/model").json()["source"] == "registry @champion"
        assert asking.get("/v1/pulls").json()["total"] == 300
        assert status(service, "wrong") == 401
        page = asking.get("/metrics").text
        assert "pullrisk_secrets_healthy 1.0" in page
        assert "pullrisk_secrets_logins_total 1.0" in page


def test_a_new_champion_takes_over_under_load(
    service: Served, servers: Production, tmp_path: Path
) -> None:
    with Load(service) as load:
        until(lambda: len(load.versions) == 1)
        fresh = register(servers.mlflow.uri, tmp_path, note="the next one", champion=True)
        service.process.send_signal(signal.SIGHUP)
        until(lambda: fresh in load.versions)
    assert load.failures == []
    assert len(load.versions) == 2


@pytest.mark.parametrize("service", [3], indirect=True)
def test_each_server_may_go_and_come_back(
    service: Served, servers: Production, environment: Environment
) -> None:
    with client(service) as asking:

        def history() -> dict[str, object]:
            answered = asking.post("/v1/score?explain=false", json=opened())
            assert answered.status_code == 200, answered.text
            found: dict[str, object] = answered.json()["scores"][0]["history"]
            return found

        def is_fresh() -> bool:
            return history()["stale"] is False

        until(is_fresh)  # where it waits so shortly, a busy server may seem to be away
        until(lambda: asking.get("/v1/pulls").json()["stale"] is False)

        servers.spaces.kill()
        until(lambda: history()["stale"] is True)
        unknown = opened()
        unknown["base"]["repo"]["full_name"] = "some/where"
        away = asking.post("/v1/score", json=unknown).json()["scores"][0]
        assert away["basis"] == "history unreachable"
        servers.spaces.start()
        until(is_fresh)

        servers.mongo.kill()
        until(lambda: asking.get("/v1/pulls").json()["stale"] is True)
        missing = asking.get("/v1/pulls/kedro-org/kedro/100")
        assert missing.status_code == 503
        until(is_fresh)
        assert asking.get("/readyz").status_code == 200
        servers.mongo.start()
        until(lambda: asking.get("/v1/pulls").json()["stale"] is False)

        servers.mlflow.kill()
        service.process.send_signal(signal.SIGHUP)
        service.until("model refused")
        until(is_fresh)
        servers.mlflow.start()
        service.process.send_signal(signal.SIGHUP)
        service.until("model loaded", 2)


def test_without_vault_the_last_good_secrets_serve(
    sealable: Bao, servers: Production, environment: Environment, tmp_path: Path
) -> None:
    servers.store_in(sealable, keys=[KEY], password=PASSWORD)
    servers.passwords[:] = [PASSWORD]
    own = environment(STAGE, server=sealable, VAULT_REREAD_SECONDS="0.2")
    with (
        served(tmp_path / "home", "--model", "@champion", environment=own, refresh=0.3) as one,
        client(one) as asking,
    ):
        sealable.stop()
        until(lambda: "pullrisk_secrets_healthy 0.0" in asking.get("/metrics").text)
        assert asking.post("/v1/score", json=opened()).status_code == 200
        assert asking.get("/v1/pulls").status_code == 200
        sealable.start()
        sealable.unseal()
        servers.store_in(sealable, keys=["another"], password=PASSWORD)
        until(lambda: status(one, "another") == 200)
        assert asking.get("/v1/model").status_code == 401
        assert "pullrisk_secrets_healthy 1.0" in asking.get("/metrics").text


def test_rotations_under_load_fail_no_request(
    service: Served, vault: Bao, servers: Production
) -> None:
    """Both values hold until everybody has the new one, as rotations are done."""
    key, password = KEY, PASSWORD
    with Load(service) as load:
        for turn in range(ROTATIONS):
            old_key, old_password = key, password
            key, password = f"key-{turn}-{MARK}", f"password-{turn}-{MARK}"
            servers.passwords.append(password)
            servers.store_in(vault, keys=[old_key, key], password=password)
            service.until("secrets rotated", 2 * turn + 1)
            load.settle(key=key)
            servers.passwords.remove(old_password)
            servers.store_in(vault, keys=[key], password=password)
            service.until("secrets rotated", 2 * turn + 2)
            assert status(service, old_key) == 401
            vault.client.sys.revoke_prefix("auth/kubernetes/login")
        until(lambda: logins(service) > ROTATIONS)
        load.settle()
    assert load.failures == []


def logins(one: Served) -> float:
    """How often the service has logged in to Vault."""
    page = httpx.get(f"{one.url}/metrics", timeout=PATIENCE).text
    (line,) = [each for each in page.splitlines() if each.startswith("pullrisk_secrets_logins")]
    return float(line.split()[1])


def test_no_answer_header_log_or_command_line_shows_a_secret(
    service: Served, vault: Bao, servers: Production
) -> None:
    number = opened(place=100)["number"]
    paths = ["/v1/model", "/v1/pulls", "/v1/repositories", "/metrics", "/readyz", "/healthz"]
    paths += ["/openapi.json", "/docs", f"/v1/pulls/kedro-org/kedro/{number}", "/nothing"]
    shown = []
    servers.passwords[:] = ["none of theirs"]  # so that refusals are among what is searched
    servers.store_in(vault, keys=[KEY], password=f"wrong-{MARK}")
    with client(service) as asking:
        until(lambda: asking.get("/v1/pulls/kedro-org/kedro/1").status_code == 503)
        answers = [asking.get(path) for path in paths]
        answers += [asking.post("/v1/score", content=body) for body in (b"{", b'{"number": 1}')]
        answers.append(asking.get("/v1/model", headers={"authorization": f"Bearer wrong-{MARK}"}))
        answers.append(asking.get(f"/v1/pulls?author={'x' * 101}"))
    statuses = {answer.status_code for answer in answers}
    assert {200, 400, 401, 404, 422, 503} <= statuses
    shown = [answer.text + str(answer.headers) for answer in answers]
    httpx.get(f"{service.url}/the-last", timeout=PATIENCE)
    until(lambda: "/the-last" in service.log.read_text())
    shown.append(service.log.read_text())
    process = Path("/proc") / str(service.process.pid)
    shown += [(process / name).read_text() for name in ("cmdline", "environ")]
    assert [text[:200] for text in shown if MARK in text] == []
