import gzip
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import active_children
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pullrisk.errors import InputError, LakeError, PullriskError
from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.lake import Lake
from pullrisk.lake.schema import SCHEMA
from pullrisk.preprocess import PreprocessReport, local, preprocess
from pullrisk.preprocess.plan import Plan, plan
from pullrisk.pulls.record import Pull, parse_rest
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore

MakePull = Callable[..., Pull]
Rows = Callable[[Lake], pa.Table]
Undisturbed = Callable[[PullStore], pa.Table]
Version = tuple[int, int, str, int]

START = datetime(2024, 2, 29, tzinfo=UTC)
COLUMNS = [name for name in SCHEMA.names if name != "run"]
SAMPLE = Path(__file__).parents[2] / "sample" / "kedro-org__kedro.jsonl.gz"


def statuses(report: PreprocessReport) -> dict[str, str]:
    return {one.repository: one.status for one in report.repositories}


def left_files(lake: Lake) -> set[str]:
    """Parquet files and objects in the lake's folder."""
    root = Path(lake.uri)
    return {
        str(path.relative_to(root))
        for pattern in ("features/*.parquet", "histories/*/*")
        for path in root.glob(pattern)
    }


class Calling:
    """A Progress that calls `action` at the first advance."""

    def __init__(self, action: Callable[[], None]) -> None:
        self.action, self.called = action, False

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator["Calling"]:
        yield self

    def advance(self, amount: float = 1) -> None:
        if not self.called:
            self.called = True
            self.action()

    def describe(self, description: str) -> None:
        pass


def test_real_pulls_become_the_rows_that_the_fold_gives(
    store: SqliteStore, lake: Lake, rows: Rows
) -> None:
    with gzip.open(SAMPLE) as lines:
        pulls = [parse_rest(line) for _, line in zip(range(300), lines, strict=False)]
    store.upsert(reversed(pulls))
    report = preprocess(store, lake)
    history = RepositoryHistory("kedro-org/kedro")
    expected = []
    for pull in pulls:
        values = history.features(pull, as_of=pull.event_at or START)
        expected.append((pull.number, values, len(history.observe(pull))))
    table = rows(lake)
    assert table["number"].to_pylist() == [number for number, _, _ in expected]
    assert [len(links) for links in table["links"].to_pylist()] == [n for _, _, n in expected]
    for column, name in enumerate(NAMES):
        found = table[name].to_pylist()
        assert found == pytest.approx([values[column] for _, values, _ in expected], rel=1e-6)
    assert lake.history("kedro-org/kedro") == history.save()
    assert (report.pulls, report.rows, report.version) == (300, 300, 0)
    assert lake.runs()[0].facts["pulls"] == 300


def test_an_empty_store_commits_nothing(store: SqliteStore, lake: Lake) -> None:
    report = preprocess(store, lake)
    assert (report.run, report.version, report.repositories) == (None, None, [])
    assert not Path(lake.uri).exists()


def test_a_second_run_replays_nothing_and_commits_nothing(
    store: SqliteStore, lake: Lake, make_pull: MakePull
) -> None:
    store.upsert(map(make_pull, range(1, 40)))
    preprocess(store, lake)
    before, version = left_files(lake), lake.version
    report = preprocess(store, lake)
    assert (report.run, report.version, report.pulls) == (None, version, 0)
    assert statuses(report) == {"o/r": "unchanged"}
    assert left_files(lake) == before


def test_only_new_pulls_are_replayed(
    store: SqliteStore, lake: Lake, make_pull: MakePull, undisturbed: Undisturbed, rows: Rows
) -> None:
    store.upsert(map(make_pull, range(1, 40)))
    preprocess(store, lake)
    store.upsert(map(make_pull, range(40, 50)))
    report = preprocess(store, lake)
    assert statuses(report) == {"o/r": "appended"}
    assert (report.pulls, report.rows) == (10, 9)
    assert rows(lake).equals(undisturbed(store))


def test_a_pull_that_merges_later_than_all_others_is_appended(
    store: SqliteStore, lake: Lake, make_pull: MakePull, undisturbed: Undisturbed, rows: Rows
) -> None:
    store.upsert([make_pull(1), make_pull(2, merged_at=None, closed_at=None), make_pull(3)])
    preprocess(store, lake)
    assert rows(lake)["number"].to_pylist() == [1, 3]
    store.upsert([make_pull(2, hours=9)])
    assert statuses(preprocess(store, lake)) == {"o/r": "appended"}
    assert rows(lake)["number"].to_pylist() == [1, 3, 2]
    assert rows(lake).equals(undisturbed(store))


@pytest.mark.parametrize("hours", [4.5, 9.0], ids=["earlier", "at the same time"])
def test_a_late_arrival_rebuilds_its_repository_alone(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    undisturbed: Undisturbed,
    rows: Rows,
    hours: float,
) -> None:
    store.upsert(make_pull(n, repository=name) for n in range(1, 10) for name in ("o/a", "o/b"))
    preprocess(store, lake)
    store.upsert([make_pull(20, repository="o/a", hours=hours)])
    report = preprocess(store, lake)
    assert statuses(report) == {"o/a": "rebuilt", "o/b": "unchanged"}
    assert "after later ones" in str(report.repositories[0].note)
    assert rows(lake).equals(undisturbed(store))


def test_a_pull_that_changed_rebuilds_its_repository(
    store: SqliteStore, lake: Lake, make_pull: MakePull, undisturbed: Undisturbed, rows: Rows
) -> None:
    store.upsert(map(make_pull, range(1, 10)))
    preprocess(store, lake)
    later = make_pull(4).updated_at + timedelta(days=9)
    store.upsert([make_pull(4, title="Another title", updated_at=later)])
    assert statuses(preprocess(store, lake)) == {"o/r": "rebuilt"}
    assert rows(lake).equals(undisturbed(store))


def test_a_change_that_no_feature_sees_replays_nothing(
    store: SqliteStore, lake: Lake, make_pull: MakePull
) -> None:
    store.upsert(map(make_pull, range(1, 10)))
    preprocess(store, lake)
    later = make_pull(4).updated_at + timedelta(days=9)
    store.upsert([make_pull(4, labels=("bug",), updated_at=later)])
    assert preprocess(store, lake).run is None


def test_pulls_and_repositories_that_left_the_store_leave_the_lake(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    tmp_path: Path,
    undisturbed: Undisturbed,
    rows: Rows,
) -> None:
    store.upsert(make_pull(n, repository=name) for n in range(1, 10) for name in ("o/a", "o/b"))
    preprocess(store, lake)
    with SqliteStore(tmp_path / "fewer.sqlite") as fewer:
        fewer.upsert(make_pull(n, repository="o/a") for n in range(1, 8))
        assert statuses(preprocess(fewer, lake)) == {"o/a": "rebuilt", "o/b": "removed"}
        assert rows(lake).equals(undisturbed(fewer))
        assert lake.repositories() == ["o/a"]
        assert preprocess(fewer, lake).run is None
    assert statuses(preprocess(store, lake)) == {"o/a": "appended", "o/b": "new"}
    assert rows(lake).equals(undisturbed(store))


def test_a_repository_without_merges_has_a_history_and_no_row(
    store: SqliteStore, lake: Lake, make_pull: MakePull
) -> None:
    store.upsert([make_pull(5), make_pull(16)])
    assert preprocess(store, lake).rows == 0
    assert lake.table().num_rows == 0
    assert RepositoryHistory.load(lake.history("o/r") or b"").pulls == 2
    assert preprocess(store, lake).run is None


def test_a_run_can_be_limited_to_named_repositories(
    store: SqliteStore, lake: Lake, make_pull: MakePull
) -> None:
    store.upsert(make_pull(n, repository=name) for n in range(1, 4) for name in ("o/a", "o/b"))
    assert statuses(preprocess(store, lake, repositories=["o/b"])) == {"o/b": "new"}
    assert lake.repositories() == ["o/b"]
    with pytest.raises(InputError, match="o/typo is not in the pull store"):
        preprocess(store, lake, repositories=["o/b", "o/typo"])


def test_full_rebuilds_everything(
    store: SqliteStore, lake: Lake, make_pull: MakePull, undisturbed: Undisturbed, rows: Rows
) -> None:
    store.upsert(map(make_pull, range(1, 10)))
    preprocess(store, lake)
    assert statuses(preprocess(store, lake, full=True)) == {"o/r": "rebuilt"}
    assert rows(lake).equals(undisturbed(store))


@pytest.mark.parametrize("new_pulls", [0, 3])
@pytest.mark.parametrize("kind", ["history", "ledger"])
def test_a_damaged_object_rebuilds_its_repository_and_is_reported(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    undisturbed: Undisturbed,
    rows: Rows,
    kind: str,
    new_pulls: int,
) -> None:
    store.upsert(map(make_pull, range(1, 10)))
    preprocess(store, lake)
    next(Path(lake.uri).glob(f"histories/*/*.{kind}")).write_bytes(b"damaged")
    store.upsert(map(make_pull, range(10, 10 + new_pulls)))
    (line,) = preprocess(store, lake).repositories
    assert line.status == "rebuilt"
    assert f".{kind} cannot be used" in str(line.note)
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None


def test_a_table_of_another_feature_schema_is_rebuilt_in_one_commit(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    undisturbed: Undisturbed,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.upsert(make_pull(n, repository=name) for n in range(1, 10) for name in ("o/a", "o/b"))
    with monkeypatch.context() as older:
        older.setattr("pullrisk.lake.schema.Identity.encode", lambda _: '{"schema_hash":"old"}')
        preprocess(store, lake)
    assert lake.schema_hash == "old"
    with pytest.raises(LakeError, match="without naming repositories"):
        preprocess(store, lake, repositories=["o/a"])
    report = preprocess(store, lake)
    assert report.version == 1
    assert statuses(report) == {"o/a": "rebuilt", "o/b": "rebuilt"}
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None


def test_what_is_fetched_during_a_run_is_not_lost(
    store: SqliteStore, lake: Lake, make_pull: MakePull, undisturbed: Undisturbed, rows: Rows
) -> None:
    store.upsert(map(make_pull, range(1, 30)))
    later = make_pull(4).updated_at + timedelta(days=9)

    def fetch() -> None:
        store.upsert([make_pull(4, title="Another title", updated_at=later), make_pull(99)])

    preprocess(store, lake, progress=Calling(fetch))
    preprocess(store, lake)
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None


def test_what_is_fetched_between_plan_and_replay_is_replayed_once(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    undisturbed: Undisturbed,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.upsert(map(make_pull, range(1, 10)))

    def plan_then_fetch(*args: Any, **options: Any) -> Plan:
        planned = plan(*args, **options)
        store.upsert([make_pull(50), make_pull(51, hours=3.5)])
        return planned

    with monkeypatch.context() as patched:
        patched.setattr(local, "plan", plan_then_fetch)
        assert preprocess(store, lake).pulls == 11
    assert preprocess(store, lake).run is None
    assert rows(lake).equals(undisturbed(store))


def test_two_workers_write_what_one_writes(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    undisturbed: Undisturbed,
    rows: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    names = ["o/a", "o/b", "o/c"]
    store.upsert(make_pull(n, repository=name) for n in range(1, 30) for name in names)
    report = preprocess(store, lake, workers=2)
    assert statuses(report) == dict.fromkeys(names, "new")
    assert report.pulls == 29 * 3
    monkeypatch.undo()
    assert rows(lake).equals(undisturbed(store))


def kill_a_worker() -> None:
    children = active_children()
    assert children
    children[0].kill()


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_the_run_and_leaves_nothing(
    store: SqliteStore,
    lake: Lake,
    make_pull: MakePull,
    monkeypatch: pytest.MonkeyPatch,
    workers: int,
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    store.upsert(make_pull(n, repository=name) for n in range(1, 30) for name in ("o/a", "o/b"))
    with pytest.raises(KeyboardInterrupt):
        preprocess(store, lake, workers=workers, progress=Calling(interrupt))
    assert left_files(lake) == set()
    assert not lake.exists()
    assert active_children() == []


def test_a_worker_that_dies_is_told_and_leaves_nothing(
    store: SqliteStore, lake: Lake, make_pull: MakePull, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    names = [f"o/{index}" for index in range(6)]
    store.upsert(make_pull(n, repository=name) for n in range(1, 60) for name in names)
    with pytest.raises(PullriskError, match=r"a worker died \(signal SIGKILL\) while it .* o/"):
        preprocess(store, lake, workers=2, progress=Calling(kill_a_worker))
    assert left_files(lake) == set()
    assert active_children() == []
    preprocess(store, lake)
    assert lake.repositories() == names


def test_a_workers_error_is_the_runs_error(
    store: SqliteStore, lake: Lake, make_pull: MakePull, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "PULLS_PER_WORKER", 1)
    store.upsert(make_pull(n, repository=name) for n in range(1, 30) for name in ("o/a", "o/b"))
    with closing(sqlite3.connect(store.path)) as connection, connection:
        connection.execute("UPDATE pulls SET payload = x'00' WHERE number = 20")
    with pytest.raises(PullriskError, match=r"pull 20 cannot be decoded(?s:.)*fetch again"):
        preprocess(store, lake, workers=2)
    assert left_files(lake) == set()


def test_superseded_histories_are_deleted_after_a_while(
    store: SqliteStore, lake: Lake, make_pull: MakePull, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "_READERS_GRACE", timedelta(0))
    for last in (5, 10, 15):
        store.upsert(map(make_pull, range(1, last)))
        preprocess(store, lake)
    assert sum(".history" in name for name in left_files(lake)) == 1
    assert lake.history("o/r")


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Version]]:
    """Batches of (number, hour of the event, state, version of the pull)."""
    versions = st.tuples(
        st.integers(1, 12),
        st.integers(0, 15),
        st.sampled_from(["merged", "merged", "merged", "closed", "open"]),
        st.integers(0, 3),
    )
    return draw(st.lists(st.lists(versions, max_size=6), min_size=1, max_size=4))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batches=arrivals())
def test_any_order_of_arrival_gives_the_rows_of_one_full_replay(
    batches: list[list[Version]],
) -> None:
    with TemporaryDirectory() as folder, SqliteStore(Path(folder, "pulls.sqlite")) as store:
        lake, fresh = Lake(Path(folder, "lake")), Lake(Path(folder, "fresh"))
        base = Pull(repository="o/r", number=1, created_at=START, updated_at=START, author="ann")
        for batch in batches:
            for number, hour, state, version in batch:
                at = START + timedelta(hours=hour)
                pull = msgspec.structs.replace(
                    base,
                    number=number,
                    title=f"Change {version}",
                    updated_at=START + timedelta(days=version),
                    merged_at=at if state == "merged" else None,
                    closed_at=None if state == "open" else at,
                )
                store.upsert([pull])
            preprocess(store, lake)
        if preprocess(store, fresh).run is None:
            assert lake.repositories() == []
            return
        assert lake.table(COLUMNS).equals(fresh.table(COLUMNS))
        assert lake.history("o/r") == fresh.history("o/r")
