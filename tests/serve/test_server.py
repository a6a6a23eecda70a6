"""Start, keys, and a lake and a store that move or go."""

import shutil
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from pullrisk.features import SCHEMA_HASH
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.serve.keys import WrongKeys
from support.processes import until
from support.sample import sample_pulls
from support.serving import GENERAL, STORED, Served, opened, score, served

# --- start -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--model", "nowhere.onnx"), 7, "nowhere.onnx cannot be read"),
        (("--model", "corrupt.onnx"), 7, "not a readable ONNX file"),
        (("--model", "other.onnx"), 7, "was trained on feature schema feedfacefeedface"),
        (("--host", "0.0.0.0"), 3, "no API key is set"),
        (("--host", "127.evil.example"), 3, "no API key is set"),
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
    (tmp_path / "other.onnx").write_bytes(other.replace(SCHEMA_HASH.encode(), b"feedface" * 2))
    with Served(home, *options) as one:
        assert one.process.wait(timeout=60) == code
        assert told in one.errors()


def test_probes_have_a_port_of_their_own(home: Path) -> None:
    same = {"PULLRISK_SERVE__PROBE_PORT": "8099"}
    with Served(home, "--port", "8099", environment=same) as one:
        assert one.process.wait(60) == 3
        assert "serve.probe_port and serve.port are both 8099" in one.errors()


def test_a_taken_port_is_named(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with Served(home, "--port", str(taken.getsockname()[1])) as one:
            assert one.process.wait(timeout=60) == 3
            assert "cannot listen at" in one.errors()


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
        until(lambda: score(one.url, authorization="Bearer third").status_code == 200)
        assert score(one.url, authorization="Bearer first").status_code == 401
        keys.unlink()  # what is valid stays when the file goes
        one.until("keys unreadable, the earlier ones hold")
        assert score(one.url, authorization="Bearer third").status_code == 200
        keys.write_text("")  # without any key, nobody comes in
        until(lambda: score(one.url, authorization="Bearer third").status_code == 401)
        assert "first" not in one.log.read_text()


def test_wrong_keys_wait_longer_and_longer_and_right_ones_do_not() -> None:
    known = WrongKeys()
    waits = [known.note("10.0.0.1") for _ in range(60)]
    assert waits[:10] == [0.0] * 10
    assert waits[10:] == sorted(waits[10:])
    assert 0 < waits[10] < waits[-1] <= 2
    assert known.note("10.0.0.2") == 0


def test_addresses_with_wrong_keys_do_not_fill_the_memory() -> None:
    known = WrongKeys()
    for number in range(10_000):
        known.note(f"10.0.{number // 256}.{number % 256}")
    assert len(known) <= 2_048


def test_who_waits_for_a_wrong_key_keeps_nobody_else_out(home: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("right\n")
    with served(home, keys_file=keys, in_flight=4) as one, ThreadPoolExecutor(16) as others:
        wrong = [others.submit(score, one.url, authorization="Bearer wrong") for _ in range(48)]
        for _ in range(3):
            assert score(one.url, authorization="Bearer right").status_code == 200
        statuses = {each.result().status_code for each in wrong}
        assert 401 in statuses
        assert statuses <= {401, 503}


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
            store.upsert(sample_pulls(STORED + 40))
            preprocess(store, Lake(own / "lake"))
        until(lambda: score(one.url).json()["scores"][0]["history"]["pulls"] == STORED + 40)


def test_without_the_lake_it_keeps_scoring_and_says_what_is_stale(
    home: Path, tmp_path: Path
) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    with served(own, refresh=0.2) as one:
        before = score(one.url).json()["scores"][0]
        table = own / "lake" / "features" / "_delta_log" / f"{0:020}.json"
        content = table.read_bytes()
        table.write_text("damaged")
        until(lambda: score(one.url).json()["scores"][0]["history"]["stale"])
        during = score(one.url).json()["scores"][0]
        assert during["risk"] == pytest.approx(before["risk"], rel=0.01)
        health = httpx.get(f"{one.url}/readyz").json()
        assert health["ready"] is True
        (histories,) = [check for check in health["checks"] if check["what"] == "histories"]
        assert "lake" in histories["found"]
        for number in range(100):  # longer than the lake is left alone after it failed
            unknown = opened()
            unknown["base"]["repo"]["full_name"] = f"some/where{number}"
            answered = httpx.post(f"{one.url}/v1/score", json=unknown).json()["scores"][0]
            assert answered["basis"] == "history unreachable"
        table.write_bytes(content)
        until(lambda: not score(one.url).json()["scores"][0]["history"]["stale"])


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


def test_without_a_store_its_routes_say_that_none_is_configured(tmp_path: Path, home: Path) -> None:
    own = shutil.copytree(home, tmp_path / "home", ignore=shutil.ignore_patterns("*.sqlite*"))
    with served(own) as one:
        reference = {"repository": "kedro-org/kedro", "number": 1}
        for answered in (
            httpx.get(f"{one.url}/v1/pulls"),
            httpx.get(f"{one.url}/v1/repositories"),
            httpx.post(f"{one.url}/v1/score", json=reference),
        ):
            assert answered.status_code == 503
            assert "no pull store is configured" in answered.json()["detail"]
        assert httpx.get(f"{one.url}/readyz").status_code == 200
        shutil.copytree(home, own, dirs_exist_ok=True)
        assert httpx.get(f"{one.url}/v1/pulls").json()["total"] == STORED


def test_a_lake_of_another_schema_stops_the_start(home: Path, tmp_path: Path) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    for log in (own / "lake" / "features" / "_delta_log").glob("*.json"):
        log.write_text(log.read_text().replace(SCHEMA_HASH, "feedface" * 2))
    with Served(own) as one:
        assert one.process.wait(timeout=60) == 6
        assert "feedfacefeedface" in one.errors()
