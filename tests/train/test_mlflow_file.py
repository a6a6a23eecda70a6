"""MLflow's SQLite file is there whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from pullrisk.train.mlflow_client import Tracking, connected, ensure_database

MAKE = """
import resource, signal, sys
from pathlib import Path
from pullrisk.train.mlflow_client import ensure_database

uri, artifacts, most_bytes = sys.argv[1:]
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
ensure_database(uri, Path(artifacts))
"""


def started(tracking: Tracking, *, most_bytes: int = 10**9) -> "subprocess.Popen[bytes]":
    """A process that makes the tables, killed by the system where a file grows over the limit."""
    arguments = [tracking.uri, str(tracking.artifacts), str(most_bytes)]
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, *arguments],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )


def usable(tracking: Tracking) -> bool:
    with connected(tracking) as (_, client):
        name = client.create_registered_model("some").name
        return name in {model.name for model in client.search_registered_models()}


def test_a_process_killed_while_it_makes_the_tables_leaves_no_file_and_the_next_one_makes_it(
    tmp_path: Path,
) -> None:
    tracking = Tracking.local(tmp_path)
    draft = tmp_path / ".mlflow.db.draft"
    assert started(tracking, most_bytes=100_000).wait() == -signal.SIGXFSZ
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
