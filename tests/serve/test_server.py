"""Processes: start, faults, drain, swap, and clients that behave badly."""

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import parse_rest
from pullrisk.pulls.sqlite import SqliteStore
from support.serving import ROOT, STORED, Served, opened, sample_lines, served

GENERAL = ROOT / "src" / "pullrisk" / "model" / "general.onnx"


def score(url: str, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/v1/score", json=opened(), headers=headers, timeout=20)


def rss(one: Served) -> float:
    """MB of the worker."""
    (worker, *_) = psutil.Process(one.process.pid).children()
    return float(worker.memory_info().rss / 1e6)


def another_model(path: Path) -> Path:
    """The general model under another version: a trailing field that ONNX readers skip."""
    import onnx

    model = onnx.load(GENERAL)
    model.doc_string = "another"
    onnx.save(model, path)
    return path


# --- start -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--model", "nowhere.onnx"), 7, "nowhere.onnx cannot be read"),
        (("--model", "corrupt.onnx"), 7, "not a readable ONNX file"),
        (("--model", "other.onnx"), 7, "was trained on feature schema feedfacefeedface"),
        (("--host", "0.0.0.0"), 3, "no API key is set"),
        (("--keys-file", "nokeys.txt"), 3, "nokeys.txt cannot be read"),
    ],
)
def test_what_cannot_start_says_why_and_by_which_exit_code(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corrupt.onnx").write_bytes(GENERAL.read_bytes()[:1000])
    other = GENERAL.read_bytes()
    from pullrisk.features import SCHEMA_HASH

    (tmp_path / "other.onnx").write_bytes(other.replace(SCHEMA_HASH.encode(), b"feedface" * 2))
    one = Served(home, *options)
    assert one.process.wait(timeout=30) == code
    assert told in one.errors()
    one.stop()


def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        one = Served(home, "--port", str(taken.getsockname()[1]))
        assert one.process.wait(timeout=30) == 3
        assert "cannot listen at" in one.errors()
        one.stop()


def test_it_is_ready_within_two_seconds_of_its_start(home: Path) -> None:
    with served(home):
        pass  # the files are in the cache now
    started = time.monotonic()
    with served(home):
        assert time.monotonic() - started < 5  # 2 s on a quiet machine


# --- keys --------------------------------------------------------------------------------------


def test_keys_are_asked_for_and_rotate_without_a_restart(home: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("first\n# a comment\nsecond\n")
    with served(home, "--keys-file", str(keys), refresh=0.1) as one:
        assert score(one.url).status_code == 401
        assert score(one.url).headers["www-authenticate"] == "Bearer"
        assert score(one.url, authorization="Bearer wrong").status_code == 401
        assert score(one.url, authorization="Bearer first").status_code == 200
        assert score(one.url, **{"x-api-key": "second"}).status_code == 200
        assert httpx.get(f"{one.url}/healthz").status_code == 200
        keys.write_text("second\nthird\n")
        wait_for(lambda: score(one.url, authorization="Bearer third").status_code == 200)
        assert score(one.url, authorization="Bearer first").status_code == 401
        keys.unlink()  # what holds stays when the file goes
        time.sleep(0.3)
        assert score(one.url, authorization="Bearer third").status_code == 200
        keys.write_text("")  # without any key, nobody comes in
        wait_for(lambda: score(one.url, authorization="Bearer third").status_code == 401)
        assert "first" not in one.log.read_text()


def test_a_key_is_held_to_its_rate(home: Path) -> None:
    with served(home, rate=1, burst=3) as one:
        answered = [httpx.get(f"{one.url}/v1/model") for _ in range(5)]
        assert [response.status_code for response in answered] == [200, 200, 200, 429, 429]
        assert int(answered[-1].headers["retry-after"]) >= 1
        assert httpx.get(f"{one.url}/readyz").status_code == 200
        time.sleep(1.1)
        assert httpx.get(f"{one.url}/v1/model").status_code == 200


def test_pages_of_other_origins_may_call_only_where_that_is_set(home: Path) -> None:
    origin = {"origin": "https://example.org"}
    with served(home, cors_origins='["https://example.org"]') as one:
        preflight = httpx.options(f"{one.url}/v1/score", headers=origin)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == "https://example.org"
        assert score(one.url, **origin).headers["access-control-allow-origin"] == origin["origin"]
        other = score(one.url, origin="https://example.com")
        assert "access-control-allow-origin" not in other.headers


# --- a lake and a store that move or go --------------------------------------------------------


def test_a_new_run_is_seen_without_a_restart(home: Path, tmp_path: Path) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    with served(own, refresh=0.2) as one:
        assert score(one.url).json()["scores"][0]["history"]["pulls"] == STORED
        with SqliteStore(own / "pulls.sqlite") as store:
            store.upsert(parse_rest(line) for line in sample_lines(STORED + 40))
            preprocess(store, Lake(own / "lake"))
        wait_for(lambda: score(one.url).json()["scores"][0]["history"]["pulls"] == STORED + 40)


def test_without_the_lake_it_keeps_scoring_and_says_what_is_stale(
    home: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    with served(own, refresh=0.2) as one:
        before = score(one.url).json()["scores"][0]
        table = own / "lake" / "features" / "_delta_log" / f"{0:020}.json"
        content = table.read_bytes()
        table.write_text("damaged")
        wait_for(lambda: score(one.url).json()["scores"][0]["history"]["stale"])
        during = score(one.url).json()["scores"][0]
        assert during["risk"] == pytest.approx(before["risk"], rel=0.01)
        health = httpx.get(f"{one.url}/readyz").json()
        assert health["ready"] is True
        (histories,) = [check for check in health["checks"] if check["what"] == "histories"]
        assert "lake" in histories["found"]
        unknown = opened()
        unknown["base"]["repo"]["full_name"] = "some/where"
        answered = httpx.post(f"{one.url}/v1/score", json=unknown).json()["scores"][0]
        assert answered["basis"] == "history unreachable"
        table.write_bytes(content)
        wait_for(lambda: not score(one.url).json()["scores"][0]["history"]["stale"])


def test_without_the_store_only_stored_pulls_are_missing(tmp_path: Path, home: Path) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    (own / "pulls.sqlite").unlink()
    (own / "pulls.sqlite").write_bytes(b"no database" * 1000)
    with served(own) as one:
        assert score(one.url).status_code == 200
        answered = httpx.get(f"{one.url}/v1/pulls")
        assert answered.status_code == 503
        assert "pulls.sqlite" in answered.json()["detail"]
        assert httpx.get(f"{one.url}/readyz").status_code == 200


def test_a_lake_of_another_schema_stops_the_start(home: Path, tmp_path: Path) -> None:
    from pullrisk.features import SCHEMA_HASH

    own = shutil.copytree(home, tmp_path / "home")
    for log in (own / "lake" / "features" / "_delta_log").glob("*.json"):
        log.write_text(log.read_text().replace(SCHEMA_HASH, "feedface" * 2))
    one = Served(own)
    assert one.process.wait(timeout=30) == 6
    assert "feedfacefeedface" in one.errors()
    one.stop()


# --- the end -----------------------------------------------------------------------------------


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


def test_a_killed_worker_is_replaced(home: Path) -> None:
    with served(home, workers=2) as one:
        workers = psutil.Process(one.process.pid).children()
        assert len(workers) == 2
        os.kill(workers[0].pid, signal.SIGKILL)
        wait_for(
            lambda: (
                len(
                    [
                        w
                        for w in psutil.Process(one.process.pid).children()
                        if w.status() != "zombie"
                    ]
                )
                == 2
                and workers[0].pid
                not in {w.pid for w in psutil.Process(one.process.pid).children()}
            )
        )
        wait_for(lambda: httpx.get(f"{one.url}/readyz").status_code == 200)
        counted = httpx.get(f"{one.url}/metrics").text
        assert "pullrisk_requests_total{" in counted


# --- clients that behave badly -----------------------------------------------------------------


def test_a_body_of_100_mb_is_refused_without_being_kept(service: Served) -> None:
    before = rss(service)
    for declared in (True, False):
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as one:
            size = b"Content-Length: 100000000" if declared else b"Transfer-Encoding: chunked"
            head = b"POST /v1/score HTTP/1.1\r\nHost: x\r\n" + size
            one.sendall(head + b"\r\nContent-Type: application/json\r\n\r\n")
            with contextlib.suppress(OSError):  # it closes the connection: that is the point
                for _ in range(100):
                    piece = b" " * 1_000_000
                    one.sendall(piece if declared else b"F4240\r\n" + piece + b"\r\n")
            one.settimeout(5)
            with contextlib.suppress(OSError):  # or reset before the answer could be read
                assert b" 413 " in one.recv(200)
    assert rss(service) < before + 40
    assert score(service.url).status_code == 200


def test_a_slow_body_is_given_up(service: Served) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as one:
        one.sendall(
            b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: 1000\r\n\r\n{"
        )
        assert b" 408 " in one.recv(200)


def test_slow_heads_do_not_keep_others_waiting(service: Served) -> None:
    slow = [socket.create_connection(("127.0.0.1", service.port), timeout=20) for _ in range(100)]
    for one in slow:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost:")
    assert score(service.url).status_code == 200
    time.sleep(1.7)
    for one in slow:
        one.settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(100) == b""  # closed by the service
        one.close()


def wait_for(condition: object, seconds: float = 20) -> None:
    """Until the condition holds."""
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError("it did not come about in time")
        time.sleep(0.05)
