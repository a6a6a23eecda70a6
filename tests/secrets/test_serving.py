"""The service with all that it has in production: what rotates, what goes away, what shows."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("nx_27017", reason="nx-27017 is not installed")
pytest.importorskip("mlflow", reason="the extra train is not installed")

from support.bao import Bao
from support.processes import until
from support.production import Production, production, register
from support.serving import ROOT, Served, opened, served
from support.vault import MARK, install

ROTATIONS = int(os.environ.get("PULLRISK_TEST_ROTATIONS", "3"))
"""How often everything is rotated under load; `make drill-secrets` does it 50 times."""
KEY = f"key-{MARK}"
PASSWORD = f"password-{MARK}"
STAGE = "model-serving"
LOCUSTFILE = ROOT / "tests" / "performance" / "locustfile.py"
Environment = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Production]:
    with production(tmp_path_factory.mktemp("production"), password=PASSWORD) as running:
        yield running


@pytest.fixture
def vault(bao: Bao, servers: Production, vault_folder: Path) -> Iterator[Bao]:
    """A Vault that holds what the service needs."""
    servers.passwords[:] = [PASSWORD]
    servers.store_in(bao, keys=[KEY], password=PASSWORD)
    yield bao
    install(bao, vault_folder)


@pytest.fixture
def service(vault: Bao, environment: Environment, tmp_path: Path) -> Iterator[Served]:
    """`pullrisk serve` as in a cluster: all it knows comes from Vault."""
    own = environment(STAGE, VAULT_REREAD_SECONDS="0.2")
    with served(
        tmp_path / "home", "--model", "@champion", environment=own, refresh=0.3, reach=1.5
    ) as one:
        yield one


def client(one: Served, key: str = KEY) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=one.url, headers=headers, timeout=20)


def status(one: Served, key: str) -> int:
    """What somebody with this key is answered."""
    return httpx.get(f"{one.url}/v1/model", headers={"x-api-key": key}).status_code


def accepts(one: Served, key: str) -> Callable[[], bool]:
    return lambda: status(one, key) == 200


def refuses(one: Served, key: str) -> Callable[[], bool]:
    return lambda: status(one, key) == 401


def test_it_serves_from_mongodb_s3_vault_and_a_remote_mlflow(
    service: Served, servers: Production
) -> None:
    with client(service) as asking:
        found = asking.post("/v1/score", json=opened()).json()
        assert found["scores"][0]["basis"] == "history"
        assert found["model"]["registered"] == "1"
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
    versions: set[str] = set()
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with client(service) as asking:
            while not stop.is_set():
                answered = asking.post("/v1/score?explain=false", json=opened())
                if answered.status_code == 200:
                    versions.add(answered.json()["model"]["registered"])
                else:
                    failures.append(answered.text)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    fresh = register(servers.mlflow.uri, tmp_path, note="the next one", champion=True)
    service.process.send_signal(signal.SIGHUP)
    until(lambda: fresh in versions, seconds=30)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(versions) == 2


def test_each_server_may_go_and_come_back(
    service: Served, servers: Production, environment: Environment
) -> None:
    with client(service) as asking:

        def history() -> dict[str, object]:
            answered = asking.post("/v1/score?explain=false", json=opened())
            assert answered.status_code == 200, answered.text
            found: dict[str, object] = answered.json()["scores"][0]["history"]
            return found

        assert history()["stale"] is False
        assert asking.get("/v1/pulls").json()["stale"] is False

        servers.spaces.kill()
        until(lambda: history()["stale"] is True)
        unknown = opened()
        unknown["base"]["repo"]["full_name"] = "some/where"
        away = asking.post("/v1/score", json=unknown).json()["scores"][0]
        assert away["basis"] == "history unreachable"
        servers.spaces.start()
        until(lambda: history()["stale"] is False, seconds=30)

        servers.mongo.kill()
        until(lambda: asking.get("/v1/pulls").json()["stale"] is True)
        missing = asking.get("/v1/pulls/kedro-org/kedro/100")
        assert missing.status_code == 503
        assert history()["stale"] is False
        assert asking.get("/readyz").status_code == 200
        servers.mongo.start()
        until(lambda: asking.get("/v1/pulls").json()["stale"] is False, seconds=30)

        servers.mlflow.kill()
        service.process.send_signal(signal.SIGHUP)
        service.until("model refused")
        assert history()["stale"] is False
        servers.mlflow.start()
        service.process.send_signal(signal.SIGHUP)
        service.until("model loaded", 2, seconds=30)


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
        until(accepts(one, "another"), seconds=20)
        assert asking.get("/v1/model").status_code == 401
        assert "pullrisk_secrets_healthy 1.0" in asking.get("/metrics").text


def test_rotations_under_load_fail_no_request(
    service: Served, vault: Bao, servers: Production, tmp_path: Path
) -> None:
    keys = tmp_path / "key"
    keys.write_text(KEY)
    load = start_load(service, keys, tmp_path)
    until(lambda: httpx.get(f"{service.url}/metrics").text.count("/v1/score") > 0, seconds=30)
    password = PASSWORD
    for turn in range(ROTATIONS):
        key, fresh = f"key-{turn}-{MARK}", f"password-{turn}-{MARK}"
        servers.passwords.append(fresh)  # both hold for a while, as rotations are done
        old = keys.read_text()
        servers.store_in(vault, keys=[old, key], password=fresh)
        until(accepts(service, key))
        keys.write_text(key)
        time.sleep(0.3)
        servers.passwords.remove(password)
        servers.store_in(vault, keys=[key], password=fresh)
        until(refuses(service, old))
        vault.client.sys.revoke_prefix("auth/kubernetes/login")
        password = fresh
    time.sleep(1)
    page = httpx.get(f"{service.url}/metrics").text
    load.send_signal(signal.SIGINT)
    output = load.communicate(timeout=60)[0].decode()
    assert load.returncode == 0, output[-3000:]
    (logins,) = [line for line in page.splitlines() if line.startswith("pullrisk_secrets_logins")]
    assert float(logins.split()[1]) >= ROTATIONS
    assert len(service.events("secrets rotated")) >= 2 * ROTATIONS


def start_load(one: Served, keys: Path, folder: Path) -> "subprocess.Popen[bytes]":
    """Locust, until it is told to stop; it takes its key from a file."""
    arguments = [sys.executable, "-m", "locust", "--headless", "--only-summary", "-u", "2"]
    arguments += ["-f", str(LOCUSTFILE), "--host", one.url, "--loglevel", "WARNING"]
    slow = {f"PULLRISK_TEST_{name}_MS": "30000" for name in ("P50", "P95", "P99")}
    own = {"PULLRISK_TEST_KEY_FILE": str(keys), "PULLRISK_TEST_WAIT": "0.02", **slow}
    return subprocess.Popen(
        arguments,
        env=os.environ | own,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


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
        answers.append(httpx.get(f"{service.url}/v1/model", headers={"x-api-key": f"wrong-{MARK}"}))
        answers.append(asking.get(f"/v1/pulls?author={'x' * 101}"))
    statuses = {answer.status_code for answer in answers}
    assert {200, 400, 401, 404, 422, 503} <= statuses
    shown = [answer.text + str(answer.headers) for answer in answers]
    time.sleep(0.4)
    shown.append(service.log.read_text())
    process = Path("/proc") / str(service.process.pid)
    shown += [(process / name).read_text() for name in ("cmdline", "environ")]
    assert [text[:200] for text in shown if MARK in text] == []
