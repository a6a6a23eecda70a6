import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from multiprocessing import active_children
from pathlib import Path

import psutil
import pytest

from pullrisk.errors import PullriskError
from pullrisk.lake import Lake
from pullrisk.lake.schema import SCHEMA
from pullrisk.preprocess import local, preprocess
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import Calling, Undisturbed, left_files, made_pull, rows, statuses
from support.processes import until

Version = tuple[int, int, str, int]

COLUMNS = [name for name in SCHEMA.names if name != "run"]


def test_two_workers_write_what_one_writes(
    store: SqliteStore,
    lake: Lake,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    names = ["o/a", "o/b", "o/c"]
    store.upsert(made_pull(n, repository=name) for n in range(1, 30) for name in names)
    report = preprocess(store, lake, workers=2)
    assert statuses(report) == dict.fromkeys(names, "new")
    assert report.pulls == 29 * 3
    monkeypatch.undo()
    assert rows(lake).equals(undisturbed(store))


def kill_a_worker() -> None:
    children = active_children()
    assert children
    children[0].kill()


def test_a_worker_that_dies_is_told_and_leaves_nothing(
    store: SqliteStore, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    names = [f"o/{index}" for index in range(6)]
    store.upsert(made_pull(n, repository=name) for n in range(1, 60) for name in names)
    with pytest.raises(PullriskError, match=r"a worker died \(signal SIGKILL\) while it .* o/"):
        preprocess(store, lake, workers=2, progress=Calling(kill_a_worker))
    assert left_files(lake) == set()
    assert active_children() == []
    preprocess(store, lake)
    assert lake.repositories() == names


def test_a_workers_error_is_the_runs_error(
    store: SqliteStore, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    store.upsert(made_pull(n, repository=name) for n in range(1, 30) for name in ("o/a", "o/b"))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE pulls SET payload = x'00' WHERE number = 20")
    with pytest.raises(PullriskError, match=r"pull 20 cannot be decoded(?s:.)*fetch again"):
        preprocess(store, lake, workers=2)
    assert left_files(lake) == set()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_the_run_and_leaves_nothing(
    store: SqliteStore,
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    store.upsert(made_pull(n, repository=name) for n in range(1, 30) for name in ("o/a", "o/b"))
    with pytest.raises(KeyboardInterrupt):
        preprocess(store, lake, workers=workers, progress=Calling(interrupt))
    assert left_files(lake) == set()
    assert not lake.exists()
    assert active_children() == []


def lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


KILLED = """
import os, signal, sys
from multiprocessing import active_children
from pathlib import Path
from pullrisk.lake import Lake
from pullrisk.preprocess import local, preprocess
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import Calling

def die() -> None:
    print(*(child.pid for child in active_children()), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    local.PULLS_PER_WORKER = 1
    with SqliteStore(Path(sys.argv[1])) as store:
        preprocess(store, Lake(sys.argv[2]), workers=2, progress=Calling(die))
"""


def test_workers_end_with_a_parent_that_is_killed(
    store: SqliteStore, lake: Lake, tmp_path: Path
) -> None:
    names = [f"o/{index}" for index in range(6)]
    store.upsert(made_pull(n, repository=name) for n in range(1, 200) for name in names)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    arguments = [sys.executable, str(script), str(tmp_path / "pulls.sqlite"), lake.uri]
    ran = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    workers = [int(pid) for pid in ran.stdout.split()]
    assert len(workers) == 2
    until(lambda: not any(map(lives, workers)))
    preprocess(store, lake)
    assert lake.repositories() == names
