"""Spark against the local engine, on one cluster and one session for all tests."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("pyspark", reason="the extra spark is not installed")

from pyspark.sql import SparkSession

from pullrisk.errors import LakeError, PullriskError, StoreError
from pullrisk.lake import Lake
from pullrisk.lake.delta import FeatureTable
from pullrisk.preprocess import preprocess
from pullrisk.preprocess.spark import preprocess_spark
from pullrisk.preprocess.spark_session import spark_session
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import Calling, left_files, made_pull, rows, statuses
from support.processes import mortal, until
from support.seaweed import Seaweed
from support.spark import WORKERS, Cluster
from support.stores import BrokenStore, FlakyStore, OtherStore, SlowStore

REPOSITORIES = [f"o/r{index}" for index in range(9)]
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


@pytest.fixture(scope="module")
def spark(cluster: Cluster) -> Iterator[SparkSession]:
    with spark_session(cluster.options) as session:
        yield session


@pytest.fixture(autouse=True)
def small_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """One task for every few pulls, so that small stores give several."""
    monkeypatch.setattr("pullrisk.preprocess.plan.LEAST_PULLS", 40)


def some(repository: str, first: int, last: int) -> Iterator[Pull]:
    return (made_pull(number, repository=repository) for number in range(first, last + 1))


def fill(path: Path) -> None:
    with SqliteStore(path) as store:
        for index, name in enumerate(REPOSITORIES):
            store.upsert(some(name, 1, 20 + 10 * index))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    fill(tmp_path / "pulls.sqlite")
    return tmp_path / "pulls.sqlite"


def same(one: Lake, other: Lake) -> bool:
    """Rows and histories, bit for bit."""
    assert one.repositories() == other.repositories()
    return bool(rows(one).equals(rows(other))) and all(
        one.history(name) == other.history(name) and one.consumed(name) == other.consumed(name)
        for name in one.repositories()
    )


def expected(path: Path) -> Lake:
    """What the local engine makes of the store."""
    lake = Lake(path.parent / f"expected-{random.getrandbits(32):x}")
    with SqliteStore(path) as store:
        preprocess(store, lake)
    return lake


def orphans(lake: Lake) -> set[str]:
    """Parquet files in the table's folder that no commit names."""
    table = FeatureTable.open(lake.files)
    assert table is not None
    named = {f"features/{file.path}" for file in table.parquet_files()}
    return {file for file in left_files(lake) if file.startswith("features/")} - named


def test_rows_and_histories_are_those_of_the_local_engine(
    spark: SparkSession, path: Path, lake: Lake
) -> None:
    with SqliteStore(path) as store:
        report = preprocess_spark(store, lake, spark=spark)
    assert set(statuses(report).values()) == {"new"}
    assert report.pulls == sum(20 + 10 * index for index in range(9))
    assert same(lake, expected(path))
    assert orphans(lake) == set()


def test_only_what_is_new_is_replayed_and_either_engine_can_go_on(
    spark: SparkSession, path: Path, lake: Lake
) -> None:
    with SqliteStore(path) as store:
        preprocess_spark(store, lake, spark=spark)
        assert preprocess_spark(store, lake, spark=spark).run is None
        store.upsert(some("o/r1", 31, 40))
        store.upsert([made_pull(900, repository="o/r2", hours=3.5)])
        store.upsert(some("o/new", 1, 9))
        report = preprocess_spark(store, lake, spark=spark)
        changed = {k: v for k, v in statuses(report).items() if v != "unchanged"}
        assert changed == {"o/r1": "appended", "o/r2": "rebuilt", "o/new": "new"}
        assert same(lake, expected(path))
        store.upsert(some("o/r1", 41, 50))
        assert preprocess(store, lake).pulls == 10
        store.upsert(some("o/r1", 51, 60))
        assert preprocess_spark(store, lake, spark=spark).pulls == 10
    assert same(lake, expected(path))


def test_where_nothing_is_new_no_session_is_started(
    path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteStore(path) as store:
        preprocess(store, lake)
        monkeypatch.setattr("pullrisk.preprocess.spark.spark_session", lambda *_, **__: 1 / 0)
        assert preprocess_spark(store, lake).run is None
        store.upsert(some("o/r8", 101, 102))
        with pytest.raises(ZeroDivisionError):
            preprocess_spark(store, lake)


def test_a_damaged_history_is_rebuilt_and_named(
    spark: SparkSession, path: Path, lake: Lake
) -> None:
    with SqliteStore(path) as store:
        preprocess_spark(store, lake, spark=spark)
        (history,) = Path(lake.uri, "histories", "o__r4").glob("*.history")
        history.write_bytes(history.read_bytes()[:-3])
        report = preprocess_spark(store, lake, spark=spark)
    (line,) = (one for one in report.repositories if one.status != "unchanged")
    assert (line.repository, line.status) == ("o/r4", "rebuilt")
    assert str(line.note).startswith(f"lake {lake.uri}: histories/o__r4/")
    assert same(lake, expected(path))


def test_a_task_that_fails_is_tried_again_and_leaves_nothing(
    spark: SparkSession, path: Path, lake: Lake
) -> None:
    with FlakyStore(path) as store:
        preprocess_spark(store, lake, spark=spark)
    assert Path(f"{path}.broken").exists()
    assert same(lake, expected(path))
    assert orphans(lake) == set()


def test_a_task_that_fails_every_time_leaves_the_lake_as_it_was(
    spark: SparkSession, path: Path, lake: Lake
) -> None:
    with BrokenStore(path) as store, pytest.raises(StoreError, match="connection broke") as caught:
        preprocess_spark(store, lake, spark=spark)
    assert caught.value.hint == "mend it"
    assert not lake.exists()
    assert left_files(lake) == set()


def test_a_worker_that_sees_another_store_is_found_out(
    spark: SparkSession, path: Path, lake: Lake
) -> None:
    with OtherStore(path) as store, pytest.raises(StoreError, match="found 0 of the"):
        preprocess_spark(store, lake, spark=spark)
    assert not lake.exists()


def test_files_that_the_driver_does_not_see_are_not_committed(
    spark: SparkSession, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the lake is a folder that every machine has for itself."""
    lake = Lake(tmp_path / "lake")
    monkeypatch.setattr(
        "pullrisk.lake.files.Files.__reduce__",
        lambda files: (type(files), (f"{files.root}-elsewhere", None)),
    )
    with SqliteStore(path) as store, pytest.raises(LakeError, match="are not there"):
        preprocess_spark(store, lake, spark=spark)
    assert not lake.exists()


class Tasks:
    """A Progress that adds up, and calls an action at the first advance."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.done = 0.0

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator["Tasks"]:
        self.total = total
        yield self

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def describe(self, description: str) -> None:
        """Not of interest."""


def test_progress_counts_tasks_to_the_end(spark: SparkSession, path: Path, lake: Lake) -> None:
    progress = Tasks()
    with SqliteStore(path) as store:
        preprocess_spark(store, lake, spark=spark, progress=progress)
    assert progress.total is not None
    assert progress.total > 3
    assert progress.done == progress.total


def test_an_executor_killed_in_mid_run_changes_nothing(
    cluster: Cluster, spark: SparkSession, path: Path, lake: Lake
) -> None:
    until(lambda: len(cluster.executors()) >= WORKERS)  # they start beside the session
    before = set(cluster.executors())
    with SlowStore(path) as store:
        preprocess_spark(store, lake, spark=spark, progress=Calling(cluster.kill_an_executor))
    assert before - set(cluster.executors())
    assert same(lake, expected(path))
    assert orphans(lake) == set()


DRIVER = """
import sys
from pathlib import Path
from pullrisk.lake import Lake
from pullrisk.preprocess import plan
from pullrisk.preprocess.spark import preprocess_spark
from support.spark import options
from support.stores import StuckStore

store, lake, master = sys.argv[1:]
plan.LEAST_PULLS = 40
preprocess_spark(StuckStore(Path(store)), Lake(lake), options=options(master))
"""
"""It does not end by itself: one of its tasks is stuck."""


def test_a_driver_killed_in_mid_run_leaves_the_lake_and_the_next_run_completes(
    cluster: Cluster, spark: SparkSession, path: Path, lake: Lake
) -> None:
    """That a run is all or nothing around its commit is told of by tests/pipeline."""
    with SqliteStore(path) as store:
        preprocess(store, lake, repositories=["o/r0"])
    first = rows(lake)
    with subprocess.Popen(
        mortal([sys.executable, "-c", DRIVER, str(path), lake.uri, cluster.options.master]),
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=subprocess.DEVNULL,
    ) as driver:
        try:
            until(lambda: len(left_files(lake)) > 3 or driver.poll() is not None)
            assert driver.poll() is None
        finally:
            driver.kill()
    assert rows(lake).equals(first)
    with SqliteStore(path) as store:
        preprocess_spark(store, lake, spark=spark)
    assert same(lake, expected(path))


SPECULATING = """
import sys
from pathlib import Path
from pullrisk.lake import Lake
from pullrisk.preprocess import plan
from pullrisk.preprocess.spark import preprocess_spark
from support.spark import options
from support.stores import StuckStore

store, lake, master = sys.argv[1:]
plan.LEAST_PULLS = 40
speculation = {"spark.speculation": "true", "spark.speculation.interval": "100ms",
               "spark.speculation.quantile": "0.5"}
preprocess_spark(StuckStore(Path(store)), Lake(lake), options=options(master, **speculation))
"""


def test_a_task_that_is_stuck_is_overtaken_by_a_speculative_one(
    cluster: Cluster, path: Path, lake: Lake
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", SPECULATING, str(path), lake.uri, cluster.options.master],
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        check=False,
    )
    assert ran.returncode == 0
    assert Path(f"{path}.stuck").exists()
    assert same(lake, expected(path))
    assert orphans(lake) == set()


def test_tasks_write_straight_to_a_bucket(
    spark: SparkSession, path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with (
        Seaweed(tmp_path_factory.mktemp("bucket")) as server,
        SqliteStore(path) as store,
    ):
        lake = Lake("s3://lake/spark", s3=server.s3)
        preprocess_spark(store, lake, spark=spark)
        assert same(lake, expected(path))
        store.upsert(some("o/r1", 31, 40))
        preprocess_spark(store, lake, spark=spark)
        assert same(lake, expected(path))


def test_a_task_that_does_not_fail_by_pullrisk_is_told_by_its_last_line(
    spark: SparkSession, path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(works: object, *, slots: int) -> list[object]:
        return ["no list of works"]

    monkeypatch.setattr("pullrisk.preprocess.spark.pack", breaking)
    with SqliteStore(path) as store, pytest.raises(PullriskError, match="Spark failed"):
        preprocess_spark(store, lake, spark=spark)
