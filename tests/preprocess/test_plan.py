from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pullrisk.errors import InputError, LakeError
from pullrisk.lake import Lake
from pullrisk.lake.schema import SCHEMA
from pullrisk.preprocess import preprocess
from pullrisk.preprocess.plan import LEAST_PULLS, TASKS_PER_SLOT, Work, pack
from pullrisk.pulls.record import Pull, push_number
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import START, Undisturbed, made_pull, rows, statuses

Version = tuple[int, int, str, int]

COLUMNS = [name for name in SCHEMA.names if name != "run"]


def test_only_new_pulls_are_replayed(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed
) -> None:
    store.upsert(map(made_pull, range(1, 40)))
    preprocess(store, lake)
    store.upsert(map(made_pull, range(40, 50)))
    report = preprocess(store, lake)
    assert statuses(report) == {"o/r": "appended"}
    assert (report.pulls, report.rows) == (10, 9)
    assert rows(lake).equals(undisturbed(store))


def test_direct_pushes_are_replayed_without_rows_and_tell_their_reverts(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed
) -> None:
    store.upsert([*map(made_pull, range(1, 40)), made_pull(push_number("a" * 40), hours=3.5)])
    preprocess(store, lake)
    said = {"title": 'Revert "Change 39"', "body": "Reverts o/r#39"}
    revert = made_pull(push_number("b" * 40), repository="o/r", hours=50, **said)
    store.upsert([revert, *map(made_pull, range(51, 55))])
    report = preprocess(store, lake)
    assert statuses(report) == {"o/r": "appended"}
    assert (report.pulls, report.rows) == (4, 4)
    assert rows(lake).equals(undisturbed(store))
    links = rows(lake).to_pylist()[-4]["links"]
    assert [(link["number"], link["at"]) for link in links] == [(39, revert.merged_at)]


def test_a_pull_that_merges_later_than_all_others_is_appended(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed
) -> None:
    store.upsert([made_pull(1), made_pull(2, merged_at=None, closed_at=None), made_pull(3)])
    preprocess(store, lake)
    assert rows(lake)["number"].to_pylist() == [1, 3]
    store.upsert([made_pull(2, hours=9)])
    assert statuses(preprocess(store, lake)) == {"o/r": "appended"}
    assert rows(lake)["number"].to_pylist() == [1, 3, 2]
    assert rows(lake).equals(undisturbed(store))


@pytest.mark.parametrize("hours", [4.5, 9.0], ids=["earlier", "at the same time"])
def test_a_late_arrival_rebuilds_its_repository_alone(
    store: SqliteStore,
    lake: Lake,
    undisturbed: Undisturbed,
    hours: float,
) -> None:
    store.upsert(made_pull(n, repository=name) for n in range(1, 10) for name in ("o/a", "o/b"))
    preprocess(store, lake)
    store.upsert([made_pull(20, repository="o/a", hours=hours)])
    report = preprocess(store, lake)
    assert statuses(report) == {"o/a": "rebuilt", "o/b": "unchanged"}
    assert "after later ones" in str(report.repositories[0].note)
    assert rows(lake).equals(undisturbed(store))


def test_a_pull_that_changed_rebuilds_its_repository(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed
) -> None:
    store.upsert(map(made_pull, range(1, 10)))
    preprocess(store, lake)
    later = made_pull(4).updated_at + timedelta(days=9)
    store.upsert([made_pull(4, title="Another title", updated_at=later)])
    assert statuses(preprocess(store, lake)) == {"o/r": "rebuilt"}
    assert rows(lake).equals(undisturbed(store))


def test_a_change_that_no_feature_sees_replays_nothing(store: SqliteStore, lake: Lake) -> None:
    store.upsert(map(made_pull, range(1, 10)))
    preprocess(store, lake)
    later = made_pull(4).updated_at + timedelta(days=9)
    store.upsert([made_pull(4, labels=("bug",), updated_at=later)])
    assert preprocess(store, lake).run is None


def test_pulls_and_repositories_that_left_the_store_leave_the_lake(
    store: SqliteStore,
    lake: Lake,
    tmp_path: Path,
    undisturbed: Undisturbed,
) -> None:
    store.upsert(made_pull(n, repository=name) for n in range(1, 10) for name in ("o/a", "o/b"))
    preprocess(store, lake)
    with SqliteStore(tmp_path / "fewer.sqlite") as fewer:
        fewer.upsert(made_pull(n, repository="o/a") for n in range(1, 8))
        assert statuses(preprocess(fewer, lake)) == {"o/a": "rebuilt", "o/b": "removed"}
        assert rows(lake).equals(undisturbed(fewer))
        assert lake.repositories() == ["o/a"]
        assert preprocess(fewer, lake).run is None
    assert statuses(preprocess(store, lake)) == {"o/a": "appended", "o/b": "new"}
    assert rows(lake).equals(undisturbed(store))


def test_an_empty_store_is_taken_for_a_wrong_one_and_empties_no_lake(
    store: SqliteStore, lake: Lake, tmp_path: Path
) -> None:
    store.upsert(made_pull(n, repository=name) for n in range(1, 5) for name in ("o/a", "o/b"))
    preprocess(store, lake)
    version = lake.version

    with SqliteStore(tmp_path / "mistyped.sqlite") as empty, pytest.raises(InputError) as refused:
        preprocess(empty, lake)

    assert "store is empty" in str(refused.value)
    assert (lake.version, lake.repositories()) == (version, ["o/a", "o/b"])


def test_a_run_can_be_limited_to_named_repositories(store: SqliteStore, lake: Lake) -> None:
    store.upsert(made_pull(n, repository=name) for n in range(1, 4) for name in ("o/a", "o/b"))
    assert statuses(preprocess(store, lake, repositories=["o/b"])) == {"o/b": "new"}
    assert lake.repositories() == ["o/b"]
    with pytest.raises(InputError, match="o/typo is not in the pull store"):
        preprocess(store, lake, repositories=["o/b", "o/typo"])


def test_full_rebuilds_everything(store: SqliteStore, lake: Lake, undisturbed: Undisturbed) -> None:
    store.upsert(map(made_pull, range(1, 10)))
    preprocess(store, lake)
    assert statuses(preprocess(store, lake, full=True)) == {"o/r": "rebuilt"}
    assert rows(lake).equals(undisturbed(store))


@pytest.mark.parametrize("new_pulls", [0, 3])
@pytest.mark.parametrize("kind", ["history", "ledger"])
def test_a_damaged_object_rebuilds_its_repository_and_is_reported(
    store: SqliteStore,
    lake: Lake,
    undisturbed: Undisturbed,
    kind: str,
    new_pulls: int,
) -> None:
    store.upsert(map(made_pull, range(1, 10)))
    preprocess(store, lake)
    next(Path(lake.uri).glob(f"histories/*/*.{kind}")).write_bytes(b"damaged")
    store.upsert(map(made_pull, range(10, 10 + new_pulls)))
    (line,) = preprocess(store, lake).repositories
    assert line.status == "rebuilt"
    assert f".{kind} cannot be used" in str(line.note)
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None


@pytest.mark.parametrize("older", ['{"schema_hash":"old"}', '{"layout":1}'])
def test_a_table_of_another_feature_schema_or_layout_is_rebuilt_in_one_commit(
    store: SqliteStore,
    lake: Lake,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
    older: str,
) -> None:
    store.upsert(made_pull(n, repository=name) for n in range(1, 10) for name in ("o/a", "o/b"))
    with monkeypatch.context() as patch:
        patch.setattr("pullrisk.lake.schema.Identity.encode", lambda _: older)
        preprocess(store, lake)
    assert lake.misfit is not None
    with pytest.raises(LakeError, match="without naming repositories"):
        preprocess(store, lake, repositories=["o/a"])
    report = preprocess(store, lake)
    assert report.version == 1
    assert statuses(report) == {"o/a": "rebuilt", "o/b": "rebuilt"}
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None


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
        assert rows(lake).equals(rows(fresh))
        assert lake.history("o/r") == fresh.history("o/r")


def works(*sizes: int) -> list[Work]:
    return [
        Work(repository=f"o/r{index}", pulls=dict.fromkeys(range(size), 0))
        for index, size in enumerate(sizes)
    ]


def packed(*sizes: int, slots: int) -> list[list[int]]:
    tasks = pack(works(*sizes), slots=slots)
    return [[len(work.pulls) for work in task] for task in tasks]


def test_a_large_repository_is_alone_and_comes_first() -> None:
    assert packed(10, 90_000, 20, slots=2) == [[90_000], [20, 10]]


def test_small_ones_are_packed_evenly() -> None:
    tasks = packed(*[100] * 1_000, slots=4)
    assert len(tasks) <= 4 * TASKS_PER_SLOT + 1
    assert {sum(task) for task in tasks[:-1]} == {100_000 // (4 * TASKS_PER_SLOT) // 100 * 100}


def test_a_task_is_not_cut_smaller_than_is_worth_its_start() -> None:
    assert packed(*[LEAST_PULLS // 4] * 8, slots=64) == [[LEAST_PULLS // 4] * 4] * 2


def test_every_repository_is_in_exactly_one_task() -> None:
    tasks = pack(works(*range(0, 5_000, 7)), slots=3)
    names = [work.repository for task in tasks for work in task]
    assert len(names) == len(set(names)) == len(range(0, 5_000, 7))
    assert pack([], slots=2) == []
