"""Load on the scoring service: real pull requests as GitHub describes them, in a realistic mix.

    locust --headless -f tests/performance/locustfile.py --host http://127.0.0.1:8080 \
        --users 8 --run-time 30s --html out/load.html

Read from the environment, all of them with defaults:

    PULLRISK_TEST_KEY         the API key to send; where VAULT_ADDR is set, Vault's first one
    PULLRISK_TEST_P50_MS, PULLRISK_TEST_P95_MS, PULLRISK_TEST_P99_MS    most milliseconds
    PULLRISK_TEST_FAILURES    the largest share of failed requests (0)
    PULLRISK_TEST_REQUESTS    end after so many requests, before the run time is over
    PULLRISK_TEST_JSON        where to write the figures
    PULLRISK_TEST_SOAK_PID    process whose workers' memory and file descriptors are watched

Exit code 1 where a threshold is missed. A bad request that gets its correct 4xx is no failure.
"""

import gzip
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import psutil
import requests
from locust import FastHttpUser, constant, events, task

_ROOT = Path(__file__).parents[2]
PULLS = next(
    path / "pulls.jsonl.gz"
    for path in (_ROOT / "sample", _ROOT / "argo-apps" / "base" / "model-serving")
    if (path / "pulls.jsonl.gz").exists()
)
"""In a cluster it is mounted; here it is what will be."""
LIMITS = {
    "p50": float(os.environ.get("PULLRISK_TEST_P50_MS", "25")),
    "p95": float(os.environ.get("PULLRISK_TEST_P95_MS", "150")),
    "p99": float(os.environ.get("PULLRISK_TEST_P99_MS", "400")),
    "failures": float(os.environ.get("PULLRISK_TEST_FAILURES", "0")),
}
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"


def _patiently(ask: Callable[[], requests.Response]) -> requests.Response:
    """The answer; a connection that is refused is tried again for half a minute.

    A pod's network policies take hold some seconds after it starts.
    """
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask()
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _key() -> str:
    """In a cluster the key of the service's own Vault path: nothing but Locust is needed there."""
    address = os.environ.get("VAULT_ADDR")
    if address is None:
        return os.environ.get("PULLRISK_TEST_KEY", "")
    role = os.environ["VAULT_ROLE"]
    jwt = Path(os.environ.get("VAULT_JWT_FILE", TOKEN)).read_text(encoding="ascii").strip()
    asked = {"role": role, "jwt": jwt}
    authority = os.environ.get("VAULT_CACERT") or True
    way = f"{address}/v1/{os.environ['VAULT_PATH_AUTH']}"
    login = _patiently(lambda: requests.post(way, json=asked, timeout=10, verify=authority))
    login.raise_for_status()
    held = {"X-Vault-Token": login.json()["auth"]["client_token"]}
    path = f"{address}/v1/{os.environ['VAULT_SECRET_PATH']}"
    found = requests.get(path, headers=held, timeout=10, verify=authority)
    found.raise_for_status()
    keys = found.json()["data"]["data"]["api_keys"]
    return str((keys if isinstance(keys, list) else keys.replace(",", " ").split())[0])


def _headers(key: str) -> dict[str, str]:
    return {"content-type": "application/json"} | (
        {"authorization": f"Bearer {key}"} if key else {}
    )


HEADERS = _headers(_key())
GROWTH = 1.03
"""How much more memory the last third of a soak may use than the middle third."""
_usage: list[tuple[float, int]] = []


def _pulls() -> list[dict[str, Any]]:
    with gzip.open(PULLS) as lines:
        return [json.loads(line) for line in lines]


STORED = [(pull["base"]["repo"]["full_name"], pull["number"]) for pull in _pulls()]
OPEN = sorted(
    (
        json.dumps(pull | {"merged_at": None, "closed_at": None, "number": 10**6 + place})
        for place, pull in enumerate(_pulls())
    ),
    key=len,
)
"""Real pull requests as they were before their merge, by size."""
BAD = ("{", "[]", '{"number": NaN}', '{"number": -1}', "[" * 20_000, '{"number": 1e400}')


class Reviewer(FastHttpUser):  # type: ignore[misc]  # locust has no types
    """A bot that asks about pull requests, and people who look at the list."""

    wait_time = constant(float(os.environ.get("PULLRISK_TEST_WAIT", "0")))

    @task(30)  # type: ignore[untyped-decorator]
    def small(self) -> None:
        """One of the smaller pulls."""
        self._score(random.choice(OPEN[: len(OPEN) // 2]), "one, small")

    @task(20)  # type: ignore[untyped-decorator]
    def large(self) -> None:
        """One of the larger pulls."""
        self._score(random.choice(OPEN[len(OPEN) // 2 :]), "one, large")

    @task(20)  # type: ignore[untyped-decorator]
    def quick(self) -> None:
        """One without reasons."""
        self._score(random.choice(OPEN), "one, no reasons", "?explain=false")

    @task(3)  # type: ignore[untyped-decorator]
    def batch(self) -> None:
        """A batch of thirty."""
        body = f"[{','.join(random.choices(OPEN, k=30))}]"
        self._score(body, "thirty, no reasons", "?explain=false")

    @task(5)  # type: ignore[untyped-decorator]
    def stored(self) -> None:
        """One of the store; it need not be there."""
        name, number = random.choice(STORED)
        self._get(f"/v1/pulls/{name}/{number}", "stored pull", {200, 404})

    @task(10)  # type: ignore[untyped-decorator]
    def dashboard(self) -> None:
        """What a page of the latest pulls reads."""
        self._get("/v1/pulls?limit=50&sort=risk", "list", {200})
        self._get("/v1/model", "model", {200})

    @task(4)  # type: ignore[untyped-decorator]
    def pages(self) -> None:
        """The dashboard: its first page, what an open one asks for, and the page of a pull."""
        name, number = random.choice(STORED)
        self._get("/", "page of pulls", {200, 303, 401})
        self._get("/live/pulls?shown=open", "live list", {200, 401})
        self._get(f"/pulls/{name}/{number}", "page of a pull", {200, 404, 401})

    @task(2)  # type: ignore[untyped-decorator]
    def bad(self) -> None:
        """A body that has to be refused."""
        with self.client.post(
            "/v1/score", data=random.choice(BAD), headers=HEADERS, name="bad", catch_response=True
        ) as answered:
            if answered.status_code in {400, 422}:
                answered.success()

    def _score(self, body: str, name: str, query: str = "") -> None:
        with self.client.post(
            f"/v1/score{query}", data=body, headers=HEADERS, name=name, catch_response=True
        ) as answered:
            if answered.status_code != 200:
                answered.failure(f"status {answered.status_code}: {answered.text}")

    def _get(self, path: str, name: str, good: set[int]) -> None:
        with self.client.get(path, headers=HEADERS, name=name, catch_response=True) as answered:
            if answered.status_code in good:
                answered.success()
            else:
                answered.failure(f"status {answered.status_code}: {answered.text}")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def reach(environment: Any, **given: object) -> None:
    """Begin when the service can be connected to."""
    if environment.host:
        _patiently(lambda: requests.get(f"{environment.host}/healthz", timeout=10))


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def end_early(environment: Any, **given: object) -> None:
    """End after the requests that were asked for, where a number is set."""
    enough = int(os.environ.get("PULLRISK_TEST_REQUESTS", "0"))

    def count(**request: object) -> None:
        if environment.stats.total.num_requests == enough:
            gevent.spawn(environment.runner.quit)  # it ends the user that calls this

    if enough:
        environment.events.request.add_listener(count)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def watch(environment: Any, **given: object) -> None:
    """In a soak, look at memory and file descriptors every second."""
    pid = os.environ.get("PULLRISK_TEST_SOAK_PID")
    if pid:
        gevent.spawn(_watch, int(pid))


def _watch(pid: int) -> None:
    while True:
        with_children = psutil.Process(pid).children()
        memory = sum(process.memory_info().rss for process in with_children)
        _usage.append((memory / 1e6, sum(process.num_fds() for process in with_children)))
        gevent.sleep(1)


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def judge(environment: Any, **given: object) -> None:
    """Write the figures, and say by the exit code whether every threshold holds."""
    total = environment.stats.total
    found = {
        "requests": total.num_requests,
        "requests_per_second": round(total.total_rps, 1),
        "p50": total.get_response_time_percentile(0.50),
        "p95": total.get_response_time_percentile(0.95),
        "p99": total.get_response_time_percentile(0.99),
        "failures": total.fail_ratio,
    }
    missed = [name for name, most in LIMITS.items() if (found[name] or 0) > most]
    missed += ["requests"] * (not total.num_requests)
    missed += _judge_usage(found)
    found["missed"] = missed
    if (path := os.environ.get("PULLRISK_TEST_JSON")) is not None:
        Path(path).write_text(json.dumps({**found, "at": time.time()}, indent=2), encoding="utf-8")
    print(json.dumps(found), file=sys.stderr)
    environment.process_exit_code = int(bool(missed))


def _judge_usage(found: dict[str, Any]) -> list[str]:
    third = len(_usage) // 3
    if third < 10:
        return []
    middle, last = _usage[third : 2 * third], _usage[2 * third :]
    mean = [sum(memory for memory, _ in part) / len(part) for part in (middle, last)]
    files = [max(count for _, count in part) for part in (middle, last)]
    found |= {"memory_mb": [round(one, 1) for one in mean], "file_descriptors": files}
    return ["memory"] * (mean[1] > GROWTH * mean[0]) + ["file descriptors"] * (
        files[1] > files[0] + 5
    )
