"""The end of a service, a new model, and workers that are killed."""

import os
import shutil
import signal
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from pullrisk.features import SCHEMA_HASH
from support.serving import GENERAL, Served, opened, score, served, wait_for


def another_model(path: Path) -> Path:
    """The general model under another version: a trailing field that ONNX readers skip."""
    import onnx

    model = onnx.load(GENERAL)
    model.doc_string = "another"
    onnx.save(model, path)
    return path


def test_sigterm_fails_readiness_first_and_finishes_what_is_under_way(home: Path) -> None:
    one = Served(home, drain=1.5).wait()
    answers: list[int] = []
    body = [opened(number=10**6 + place) for place in range(1000)]

    def ask() -> None:
        answers.append(httpx.post(f"{one.url}/v1/score", json=body, timeout=60).status_code)

    under_way = [threading.Thread(target=ask) for _ in range(2)]
    one.process.send_signal(signal.SIGTERM)
    one.until("draining")
    assert httpx.get(f"{one.url}/readyz").status_code == 503
    assert score(one.url).status_code == 200
    time.sleep(0.9)
    for thread in under_way:
        thread.start()
    for thread in under_way:
        thread.join()
    assert answers == [200, 200]
    assert one.stop() == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{one.url}/healthz")


def test_a_new_model_takes_over_without_a_failed_request(home: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(GENERAL, model)
    with served(home, "--model", str(model)) as one, httpx.Client(base_url=one.url) as client:
        before = client.get("/v1/model").json()["version"]
        failures: list[str] = []
        seen: set[str] = set()
        stop = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=one.url, timeout=20) as own:
                while not stop.is_set():
                    answered = own.post("/v1/score", json=opened())
                    if answered.status_code != 200:
                        failures.append(answered.text)
                    seen.add(answered.json()["model"]["version"])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_for(lambda: seen)
        another_model(model)
        one.process.send_signal(signal.SIGHUP)
        one.until("model loaded", 2)
        after = client.get("/v1/model").json()["version"]
        model.write_bytes(b"broken")
        one.process.send_signal(signal.SIGHUP)
        one.until("model refused")
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert seen == {before, after}
        assert client.get("/v1/model").json()["version"] == after != before


def workers_of(one: Served) -> list[int]:
    """The process ids of its living workers."""
    children = psutil.Process(one.process.pid).children()
    return [child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE]


def answering(one: Served, seen: set[str]) -> set[str]:
    """The workers that have answered so far: each begins its request ids in its own way."""
    seen.add(httpx.get(f"{one.url}/healthz").headers["x-request-id"].split("-")[0])
    return seen


def kill_one(one: Served) -> None:
    """Kill a worker, until another is there in its place."""
    before = workers_of(one)
    os.kill(before[0], signal.SIGKILL)
    wait_for(lambda: len(set(workers_of(one)) - {before[0]}) == len(before))


def test_a_killed_worker_is_replaced(home: Path) -> None:
    with served(home, workers=2) as one:
        assert len(workers_of(one)) == 2
        kill_one(one)
        wait_for(lambda: httpx.get(f"{one.url}/readyz").status_code == 200)
        counted = httpx.get(f"{one.url}/metrics").text
        assert "pullrisk_requests_total{" in counted


def test_a_killed_worker_whose_model_has_gone_bad_is_replaced_with_the_last_good_one(
    home: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(GENERAL, model)
    with served(home, "--model", str(model)) as one:
        before = score(one.url).json()
        model.write_bytes(b"broken")
        kill_one(one)
        wait_for(lambda: httpx.get(f"{one.url}/readyz").status_code == 200)
        after = score(one.url).json()
        assert after["model"] == before["model"]
        assert after["scores"][0]["risk"] == pytest.approx(before["scores"][0]["risk"], rel=1e-3)
        checks = httpx.get(f"{one.url}/readyz").json()["checks"]
        assert "the last good one" in next(c["found"] for c in checks if c["what"] == "model")
        assert 'pullrisk_stale{part="model"} 1.0' in httpx.get(f"{one.url}/metrics").text
        shutil.copy(GENERAL, model)
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'pullrisk_stale{part="model"} 0.0' in metrics(one))


def metrics(one: Served) -> str:
    return httpx.get(f"{one.url}/metrics").text


def test_a_worker_that_cannot_be_replaced_leaves_the_others_serving(
    home: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    with served(own, workers=2) as one:
        seen: set[str] = set()
        wait_for(lambda: len(answering(one, seen)) == 2)
        for log in (own / "lake" / "features" / "_delta_log").glob("*.json"):
            log.write_text(log.read_text().replace(SCHEMA_HASH, "feedface" * 2))
        os.kill(workers_of(one)[0], signal.SIGKILL)
        one.until("not started", 2)
        for _ in range(20):
            assert score(one.url).status_code == 200
        assert one.process.poll() is None
