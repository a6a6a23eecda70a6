"""The end of a service, a new model, and workers that are killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from http.client import HTTPConnection
from pathlib import Path

import httpx
import psutil
import pytest

from pullrisk.features import SCHEMA_HASH
from support.processes import PATIENCE, until
from support.serving import GENERAL, Served, opened, score, served


def another_model(path: Path) -> Path:
    """The general model under another version: a trailing field that ONNX readers skip."""
    import onnx

    model = onnx.load(GENERAL)
    model.doc_string = "another"
    onnx.save(model, path)
    return path


def test_sigterm_fails_readiness_first_and_finishes_what_is_under_way(home: Path) -> None:
    body = json.dumps(opened()).encode()
    with (
        Served(home, drain=600, body_timeout=60, grace=60).wait() as one,
        socket.create_connection(("127.0.0.1", one.port), timeout=60) as under_way,
    ):
        under_way.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert b" 100 " in under_way.recv(100)  # the worker waits for the body
        one.process.send_signal(signal.SIGTERM)
        one.until("draining")
        assert httpx.get(f"{one.url}/readyz").status_code == 503
        assert score(one.url).status_code == 200
        one.process.send_signal(signal.SIGTERM)  # the second one does not wait for the drain
        until(lambda: is_closed(one))
        under_way.sendall(body)
        assert b" 200 " in under_way.recv(100)
        assert one.process.wait(timeout=60) == 0


def test_a_kept_connection_is_answered_during_a_drain_and_told_that_it_ends(home: Path) -> None:
    def asked(connection: HTTPConnection) -> tuple[int, str | None]:
        connection.request("GET", "/v1/model")
        with connection.getresponse() as response:
            response.read()
            return response.status, response.headers["connection"]

    with Served(home, drain=600, body_timeout=PATIENCE).wait() as one:
        kept = HTTPConnection("127.0.0.1", one.port, timeout=60)
        assert asked(kept) == (200, None)
        ours = kept.sock
        one.process.send_signal(signal.SIGTERM)
        one.until("draining")
        assert kept.sock is ours
        assert asked(kept) == (200, "close")
        one.stop()  # the second time it does not wait for the drain


def is_closed(one: Served) -> bool:
    """Whether nobody listens any more."""
    try:
        socket.create_connection(("127.0.0.1", one.port), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False


def test_workers_end_when_their_parent_is_killed_and_the_next_service_starts(home: Path) -> None:
    with served(home, workers=2) as one:
        until(lambda: len(workers_of(one)) == 2)
        workers = [psutil.Process(pid) for pid in workers_of(one)]
        with socket.create_connection(("127.0.0.1", one.port), timeout=60) as under_way:
            under_way.sendall(b"POST /v1/score HTTP/1.1\r\nHost: localhost\r\n")
            one.process.kill()
            _, alive = psutil.wait_procs(workers, timeout=60)
        assert alive == []
    with Served(home, port=one.port, drain=0).wait() as again:
        assert score(again.url).status_code == 200


def test_a_worker_that_has_not_started_yet_ends_with_its_parent_too(home: Path) -> None:
    with Served(home, workers=2) as one:
        parent = psutil.Process(one.process.pid)
        until(lambda: len(parent.children()) == 2)
        workers = parent.children()
        one.process.kill()
        _, alive = psutil.wait_procs(workers, timeout=60)
        assert alive == []


def test_a_new_model_takes_over_without_a_failed_request(home: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(GENERAL, model)
    with served(home, "--model", str(model)) as one, httpx.Client(base_url=one.url) as client:
        before = client.get("/v1/model").json()["version"]
        failures: list[str] = []
        seen: set[str] = set()
        stop = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=one.url, timeout=60) as own:
                while not stop.is_set():
                    answered = own.post("/v1/score", json=opened())
                    if answered.status_code != 200:
                        failures.append(answered.text)
                    seen.add(answered.json()["model"]["version"])

        threads = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: seen)
        another_model(model)
        one.process.send_signal(signal.SIGHUP)
        one.until("model loaded", 2)
        after = client.get("/v1/model").json()["version"]
        model.write_bytes(b"broken")
        one.process.send_signal(signal.SIGHUP)
        one.until("model refused")
        until(lambda: after in seen)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert seen == {before, after}
        assert client.get("/v1/model").json()["version"] == after != before


def workers_of(one: Served) -> list[int]:
    """The process ids of its living workers."""
    children = psutil.Process(one.process.pid).children()
    return [child.pid for child in children if is_alive(child)]


def is_alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def answering(one: Served, seen: set[str]) -> set[str]:
    """The workers that have answered so far: each begins its request ids in its own way."""
    seen.add(httpx.get(f"{one.url}/healthz").headers["x-request-id"].split("-")[0])
    return seen


def kill_one(one: Served) -> None:
    """Kill a worker, until another is there in its place."""
    before = workers_of(one)
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(set(workers_of(one)) - {before[0]}) == len(before))


def test_a_killed_worker_is_replaced(home: Path) -> None:
    with served(home, workers=2) as one:
        until(lambda: len(workers_of(one)) == 2)
        kill_one(one)
        until(lambda: httpx.get(f"{one.url}/readyz").status_code == 200)
        until(lambda: "pullrisk_requests_total{" in metrics(one))


def test_a_killed_worker_whose_model_has_gone_bad_is_replaced_with_the_last_good_one(
    home: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(GENERAL, model)
    with served(home, "--model", str(model)) as one:
        before = score(one.url).json()
        model.write_bytes(b"broken")
        kill_one(one)
        until(lambda: httpx.get(f"{one.url}/readyz").status_code == 200)
        after = score(one.url).json()
        assert after["model"] == before["model"]
        assert after["scores"][0]["risk"] == pytest.approx(before["scores"][0]["risk"], rel=1e-3)
        checks = httpx.get(f"{one.url}/readyz").json()["checks"]
        assert "the last good one" in next(c["found"] for c in checks if c["what"] == "model")
        assert 'pullrisk_stale{part="model"} 1.0' in httpx.get(f"{one.url}/metrics").text
        shutil.copy(GENERAL, model)
        one.process.send_signal(signal.SIGHUP)
        until(lambda: 'pullrisk_stale{part="model"} 0.0' in metrics(one))


def metrics(one: Served) -> str:
    return httpx.get(f"{one.url}/metrics").text


def test_a_worker_that_cannot_be_replaced_leaves_the_others_serving(
    home: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    with served(own, workers=2) as one:
        seen: set[str] = set()
        until(lambda: len(answering(one, seen)) == 2)
        for log in (own / "lake" / "features" / "_delta_log").glob("*.json"):
            log.write_text(log.read_text().replace(SCHEMA_HASH, "feedface" * 2))
        os.kill(workers_of(one)[0], signal.SIGKILL)
        one.until("not started", 2)
        until(lambda: score(one.url).status_code == 200)
        for _ in range(20):
            assert score(one.url).status_code == 200
        assert one.process.poll() is None


HANDED = """
import signal, threading, time
from pullrisk.serve.server import Interrupt
told = Interrupt()
signal.signal(signal.SIGUSR1, lambda *_: told.set())
other = threading.Thread(target=time.sleep, args=(600,), daemon=True)
other.start()
threading.Timer(0.2, signal.pthread_kill, (other.ident, signal.SIGUSR1)).start()
told.wait()
"""


def test_a_signal_that_another_thread_is_handed_ends_the_wait_of_the_parent() -> None:
    """As it happens to the second of two signals that come at once."""
    subprocess.run([sys.executable, "-c", HANDED], check=True, timeout=60)
