import json
import os
import sqlite3
import subprocess
import sys
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullrisk.cli import main
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from support.loopback import Handler, Loopback
from support.processes import PATIENCE


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, named by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULLRISK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def doctor(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit code, and each check by its name."""
    code = main(["doctor", "--json"])
    return code, {check["what"]: check for check in json.loads(capsys.readouterr().out)}


def test_an_empty_home_is_not_broken_and_the_first_command_is_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, checks = doctor(capsys)
    assert code == 0
    assert checks["pull store"]["state"] == "absent"
    assert checks["pull store"]["todo"] == "run `pullrisk fetch`"
    assert {checks[what]["state"] for what in ("lake", "model", "tracking")} == {"absent"}


def test_a_missing_extra_is_absent_and_nothing_is_broken() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('pyarrow', 'deltalake', 'obstore')));"
        "from pullrisk.cli import main; sys.exit(main(['doctor', '--json']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    (lake,) = [check for check in json.loads(ran.stdout) if check["what"] == "lake"]
    assert lake["state"] == "absent"
    assert lake["todo"] == "run: pip install 'pullrisk[lake]'"


def test_extras_and_python_are_named_with_their_versions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import platform

    import pyarrow

    _, checks = doctor(capsys)
    assert checks["python"]["found"].startswith(platform.python_version())
    assert f"pyarrow {pyarrow.__version__}" in checks["extra lake"]["found"]


def test_a_program_that_never_answers_is_broken_and_the_rest_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    java = tmp_path / "programs" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\nexec tail -f /dev/null\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(java.parent), prepend=os.pathsep)
    monkeypatch.setattr("pullrisk.wiring.checks.PATIENCE", 1.0)
    code, checks = doctor(capsys)
    assert code == 1
    assert checks["java"]["state"] == "broken"
    assert checks["java"]["found"] == f"`{java} -version` has not answered within 1 s"
    assert checks["pull store"]["state"] == "absent"


@pytest.mark.parametrize(
    ("file", "what"),
    [
        ("pulls.sqlite", "pull store"),
        ("model.onnx", "model"),
        ("mlflow.db", "tracking"),
    ],
)
def test_a_damaged_file_is_broken_and_the_exit_code_says_so(
    file: str, what: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    (home / file).write_bytes(b"damaged" * 1000)
    code, checks = doctor(capsys)
    assert code == 1
    assert checks[what]["state"] == "broken"
    assert file in checks[what]["found"]
    assert checks[what]["todo"]


def test_a_wrong_setting_is_broken_and_the_rest_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULLRISK_SEED", "-1")
    code, checks = doctor(capsys)
    assert code == 1
    assert checks["settings"]["state"] == "broken"
    assert "pull store" not in checks


@pytest.mark.parametrize("password", ["secret", "secret/part", "secret@part"])
def test_a_tracking_server_that_does_not_answer_is_broken_and_its_password_hidden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], password: str
) -> None:
    monkeypatch.setenv("PULLRISK_MLFLOW_URI", f"http://me:{password}@127.0.0.1:9")
    code, checks = doctor(capsys)
    assert code == 1
    assert checks["tracking"]["state"] == "broken"
    assert not any(part in json.dumps(checks) for part in password.replace("@", "/").split("/"))


class Guarded(Handler):
    """Answers /health to ann, whose password is "s@cret"."""

    def do_GET(self) -> None:
        known = b64encode(b"ann:s@cret").decode()
        allowed = self.headers["Authorization"] == f"Basic {known}" and self.path == "/health"
        self.answer(200 if allowed else 401)


def test_a_tracking_server_that_wants_the_user_of_its_address_is_asked_as_that_user(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pullrisk.wiring.checks._TIMEOUT", PATIENCE)
    with Loopback(Guarded) as server:
        place = server.url.removeprefix("http://")
        monkeypatch.setenv("PULLRISK_MLFLOW_URI", f"http://ann:s%40cret@{place}")
        assert doctor(capsys)[1]["tracking"]["state"] == "ok"
        monkeypatch.setenv("PULLRISK_MLFLOW_URI", f"http://bob:s%40cret@{place}")
        assert doctor(capsys)[1]["tracking"]["state"] == "broken"


def test_a_store_ahead_of_the_lake_makes_it_stale(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = (
        '{"number":%d,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-0%dT00:00:00Z",'
        '"merged_at":"2024-01-0%dT00:00:00Z","base":{"repo":{"full_name":"o/r"}},"files":[]}\n'
    )
    (tmp_path / "a.jsonl").write_text(pull % (1, 2, 2))
    (tmp_path / "b.jsonl").write_text(pull % (2, 3, 3))
    assert main(["fetch", "-q", "--file", "a.jsonl"]) == 0
    assert main(["preprocess", "-q"]) == 0
    capsys.readouterr()
    assert doctor(capsys)[1]["lake"]["state"] == "ok"
    assert main(["fetch", "-q", "--file", "b.jsonl"]) == 0
    capsys.readouterr()
    code, checks = doctor(capsys)
    assert code == 0
    assert checks["lake"]["state"] == "stale"
    assert "1 to replay" in checks["lake"]["found"]


def test_a_registry_without_models_is_counted_from_its_database(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home.mkdir()
    with closing(sqlite3.connect(home / "mlflow.db")) as connection:
        connection.execute("CREATE TABLE model_versions (name TEXT)")
        connection.commit()
    assert doctor(capsys)[1]["tracking"]["found"].endswith("0 registered versions")


def test_wrong_clocks_are_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with SqliteStore(home / "pulls.sqlite") as store:
        store.upsert([], checkpoint=("git:o/r:main", {"held": []}))
    assert doctor(capsys)[1]["clocks"]["state"] == "ok"
    ahead = datetime.now(UTC) + timedelta(days=900)
    dated = Pull(repository="x/y", number=1, created_at=ahead, updated_at=ahead, merged_at=ahead)
    with SqliteStore(home / "pulls.sqlite") as store:
        held: dict[str, object] = {"held": [100, 7, 8, 9, 10, 11]}
        store.upsert([dated], checkpoint=("git:o/r:main", held))
    code, checks = doctor(capsys)
    assert (code, checks["clocks"]["state"]) == (0, "stale")
    assert "o/r #100, #7, #8, #9, #10, … on main" in checks["clocks"]["found"]
    assert f"x/y has events up to {ahead:%Y-%m-%d}" in checks["clocks"]["found"]
