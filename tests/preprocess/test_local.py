from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pullrisk.features import NAMES, RepositoryHistory
from pullrisk.lake import Change, Lake
from pullrisk.lake.commit import commit
from pullrisk.lake.files import Files
from pullrisk.lake.schema import SCHEMA
from pullrisk.preprocess import preprocess, run
from pullrisk.preprocess.plan import Plan, plan
from pullrisk.pulls.sqlite import SqliteStore
from support.preprocessing import START, Calling, Undisturbed, left_files, made_pull, rows, statuses
from support.sample import sample_pulls

Version = tuple[int, int, str, int]

COLUMNS = [name for name in SCHEMA.names if name != "run"]


def test_real_pulls_become_the_rows_that_the_fold_gives(store: SqliteStore, lake: Lake) -> None:
    pulls = sample_pulls(300)
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
        known = [values[column] for _, values, _ in expected]  # NaN in both if it is unknown
        np.testing.assert_allclose(table[name].to_numpy(), known, rtol=1e-6)
    assert lake.history("kedro-org/kedro") == history.save()
    assert (report.pulls, report.rows, report.version) == (300, 300, 0)
    assert lake.runs()[0].facts["pulls"] == 300


def test_an_empty_store_commits_nothing(store: SqliteStore, lake: Lake) -> None:
    report = preprocess(store, lake)
    assert (report.run, report.version, report.repositories) == (None, None, [])
    assert not Path(lake.uri).exists()


def test_a_second_run_replays_nothing_and_commits_nothing(store: SqliteStore, lake: Lake) -> None:
    store.upsert(map(made_pull, range(1, 40)))
    preprocess(store, lake)
    before, version = left_files(lake), lake.version
    report = preprocess(store, lake)
    assert (report.run, report.version, report.pulls) == (None, version, 0)
    assert statuses(report) == {"o/r": "unchanged"}
    assert left_files(lake) == before


def test_a_repository_without_merges_has_a_history_and_no_row(
    store: SqliteStore, lake: Lake
) -> None:
    store.upsert([made_pull(5), made_pull(16)])
    assert preprocess(store, lake).rows == 0
    assert lake.table().num_rows == 0
    assert RepositoryHistory.load(lake.history("o/r") or b"").pulls == 2
    assert preprocess(store, lake).run is None


def test_what_is_fetched_during_a_run_is_not_lost(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed
) -> None:
    store.upsert(map(made_pull, range(1, 30)))
    later = made_pull(4).updated_at + timedelta(days=9)

    def fetch() -> None:
        store.upsert([made_pull(4, title="Another title", updated_at=later), made_pull(99)])

    preprocess(store, lake, progress=Calling(fetch))
    preprocess(store, lake)
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None


def test_what_is_fetched_between_plan_and_replay_is_replayed_once(
    store: SqliteStore,
    lake: Lake,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.upsert(map(made_pull, range(1, 10)))

    def plan_then_fetch(*args: Any, **options: Any) -> Plan:
        planned = plan(*args, **options)
        store.upsert([made_pull(50), made_pull(51, hours=3.5)])
        return planned

    with monkeypatch.context() as patched:
        patched.setattr("pullrisk.preprocess.local.plan", plan_then_fetch)
        assert preprocess(store, lake).pulls == 11
    assert preprocess(store, lake).run is None
    assert rows(lake).equals(undisturbed(store))


def test_superseded_histories_are_deleted_after_a_while(
    store: SqliteStore, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_READERS_GRACE", timedelta(0))
    for last in (5, 10, 15):
        store.upsert(map(made_pull, range(1, last)))
        preprocess(store, lake)
    assert sum(".history" in name for name in left_files(lake)) == 1
    assert lake.history("o/r")


def test_ctrl_c_just_after_the_commit_keeps_the_run(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def commit_then_interrupt(files: Files, change: Change) -> int:
        commit(files, change)
        raise KeyboardInterrupt

    store.upsert(map(made_pull, range(1, 10)))
    with monkeypatch.context() as patched:
        patched.setattr("pullrisk.lake.commit.commit", commit_then_interrupt)
        with pytest.raises(KeyboardInterrupt):
            preprocess(store, lake)
    assert preprocess(store, lake).run is None
    assert rows(lake).equals(undisturbed(store))


def test_a_pull_that_changes_between_plan_and_replay_is_replayed_again(
    store: SqliteStore, lake: Lake, undisturbed: Undisturbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = made_pull(4).updated_at + timedelta(days=9)

    def plan_then_fetch(*args: Any, **options: Any) -> Plan:
        planned = plan(*args, **options)
        store.upsert([made_pull(4, hours=6.5, updated_at=later)])
        return planned

    store.upsert(map(made_pull, range(1, 10)))
    with monkeypatch.context() as patched:
        patched.setattr("pullrisk.preprocess.local.plan", plan_then_fetch)
        preprocess(store, lake)
    preprocess(store, lake)
    assert rows(lake).equals(undisturbed(store))
    assert preprocess(store, lake).run is None
