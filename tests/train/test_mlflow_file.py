"""MLflow's SQLite file is there whole or not at all."""

import subprocess
import sys
import time
from pathlib import Path

from pullrisk.train.mlflow_client import Tracking, connected, ensure_database

MAKE = (
    "import sys; from pathlib import Path\n"
    "from pullrisk.train.mlflow_client import ensure_database\n"
    "ensure_database(sys.argv[1], Path(sys.argv[2]))"
)


def started(tracking: Tracking) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", MAKE, tracking.uri, str(tracking.artifacts)])


def usable(tracking: Tracking) -> bool:
    with connected(tracking) as (_, client):
        name = client.create_registered_model("some").name
        return name in {model.name for model in client.search_registered_models()}


def test_a_process_killed_while_it_makes_the_tables_leaves_no_file_and_the_next_one_makes_it(
    tmp_path: Path,
) -> None:
    tracking = Tracking.local(tmp_path)
    draft = tmp_path / ".mlflow.db.draft"
    running = started(tracking)
    while not draft.exists() or draft.stat().st_size < 100_000:
        assert running.poll() is None
        time.sleep(0.001)
    running.kill()
    running.wait()
    assert draft.exists()
    assert not (tmp_path / "mlflow.db").exists()
    assert usable(tracking)
    assert not draft.exists()


def test_processes_that_make_it_at_the_same_time_make_one(tmp_path: Path) -> None:
    tracking = Tracking.local(tmp_path)
    assert [each.wait() for each in [started(tracking) for _ in range(3)]] == [0, 0, 0]
    assert usable(tracking)


def test_a_database_that_is_there_is_left_alone(tmp_path: Path) -> None:
    tracking = Tracking.local(tmp_path)
    (tmp_path / "mlflow.db").write_bytes(b"mine")
    ensure_database(tracking.uri, tracking.artifacts)
    assert (tmp_path / "mlflow.db").read_bytes() == b"mine"
