"""SIGKILL at any moment of a preprocess run, then a second run: as if nothing had happened."""

import random
import shutil
import signal
import threading
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pyarrow as pa
import pytest

from pullrisk.features import RepositoryHistory
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from support.kills import FORKED, Moment
from support.preprocessing import rows
from support.processes import PATIENCE, until
from support.sample import sample_pulls

REPOSITORIES = ["kedro-org/kedro", "rust-lang/cargo"]
FIRST, ALL = 150, 400

MOMENTS = [
    Moment("before", "pullrisk.lake.writer", "_OpenFile.close"),
    Moment("after", "pullrisk.lake.writer", "_OpenFile._write_group"),
    Moment("after", "pullrisk.lake.writer", "FeatureWriter.finish"),
    Moment("before", "pullrisk.lake.objects", "Objects.write", 2),
    Moment("after", "pullrisk.lake.files", "Files.write"),
    Moment("after", "pullrisk.lake.files", "Files.write", 4),
    Moment("before", "pullrisk.lake.commit", "_write"),
    Moment("after", "pullrisk.lake.commit", "_write"),
    Moment("before", "pullrisk.lake.table", "Lake.vacuum_objects"),
]


def pulls(repository: str, last: int) -> list[Pull]:
    return sample_pulls(last, repository=repository)


def content(lake: Lake) -> tuple[pa.Table, list[bytes | None]]:
    """Rows and histories: everything that a reader can see."""
    lake.refresh()
    if not lake.exists():
        return pa.table({}), []
    return rows(lake), [lake.history(name) for name in lake.repositories()]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store, and the lake of a first run over the earliest pulls of it."""
    folder = tmp_path_factory.mktemp("stages")
    with SqliteStore(folder / "pulls.sqlite") as store:
        for name in REPOSITORIES:
            store.upsert(pulls(name, FIRST))
        preprocess(store, Lake(folder / "first"))
        for name in REPOSITORIES:
            store.upsert(pulls(name, ALL))
        preprocess(store, Lake(folder / "expected"))
    return folder


@pytest.fixture
def lake(stages: Path, tmp_path: Path) -> Lake:
    shutil.copytree(stages / "first", tmp_path / "lake")
    return Lake(tmp_path / "lake")


def run(store: str, lake: str, moment: Moment | None, started: Connection) -> None:
    """Preprocess, in a process that is killed at the moment."""
    if moment is not None:
        moment.kill()
    started.send(None)
    preprocess(SqliteStore(Path(store)), Lake(lake))


def start(stages: Path, lake: Lake, moment: Moment | None = None) -> ForkServerProcess:
    begun, started = FORKED.Pipe(duplex=False)
    with begun, started:
        process = FORKED.Process(
            target=run, args=(str(stages / "pulls.sqlite"), lake.uri, moment, started), daemon=True
        )
        process.start()
        begun.recv()
    return process


def ended(process: ForkServerProcess) -> int | None:
    process.join(PATIENCE)
    return process.exitcode


def recovers(stages: Path, lake: Lake) -> None:
    """After a kill readers see the first run or the whole second; another run completes it."""
    first, expected = content(Lake(stages / "first")), content(Lake(stages / "expected"))
    assert content(lake) in (first, expected)
    with SqliteStore(stages / "pulls.sqlite") as store:
        preprocess(store, lake)
        assert content(lake) == expected
        assert preprocess(store, lake).run is None
    lake.vacuum(older_than=timedelta(0))
    assert content(lake) == expected
    assert len(list(Path(lake.uri, "histories").glob("*/*"))) == 2 * len(REPOSITORIES)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_run_killed_at_its_worst_moments_is_completed_by_the_next(
    stages: Path, lake: Lake, moment: Moment
) -> None:
    assert ended(start(stages, lake, moment)) == -signal.SIGKILL
    recovers(stages, lake)


def test_runs_killed_at_random_moments_are_completed_by_the_next(stages: Path, lake: Lake) -> None:
    started = time.perf_counter()
    assert ended(start(stages, Lake(f"{lake.uri}-timed"))) == 0
    whole = time.perf_counter() - started
    chance = random.Random(7)
    for _ in range(6):
        process = start(stages, lake)
        time.sleep(chance.uniform(0, whole / 2))
        process.kill()
        assert ended(process) is not None
        assert content(lake) in (
            content(Lake(stages / "first")),
            content(Lake(stages / "expected")),
        )
    recovers(stages, lake)


def test_a_reader_beside_runs_never_sees_half_of_one(tmp_path: Path) -> None:
    known = {name: pulls(name, 110) for name in REPOSITORIES}
    lake, seen = Lake(tmp_path / "lake"), set[int]()
    done, errors = threading.Event(), list[BaseException]()

    def read() -> None:
        reader = Lake(lake.uri)
        while not done.is_set():
            reader.refresh()
            if reader.exists():
                seen.add(consistent_rows(reader))

    def guarded() -> None:
        try:
            read()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    with SqliteStore(tmp_path / "pulls.sqlite") as store:
        try:
            for last in range(10, 111, 10):
                for name in REPOSITORIES:
                    store.upsert(known[name][last - 10 : last])
                preprocess(store, lake, full=last % 30 == 0)
                until(lambda last=last: last in seen or errors)  # type: ignore[misc]
        finally:
            done.set()
            thread.join()
    assert errors == []
    assert seen == set(range(10, 111, 10))


def consistent_rows(reader: Lake) -> int:
    """Rows of each repository: as many in all of them, and as many as its history has seen."""
    rows: list[str] = reader.table(["repository"])["repository"].to_pylist()
    counts = {name: rows.count(name) for name in reader.repositories()}
    assert set(counts) == set(REPOSITORIES)
    for name, count in counts.items():
        assert RepositoryHistory.load(reader.history(name) or b"").pulls == count
    assert len(set(counts.values())) == 1
    return next(iter(counts.values()))
