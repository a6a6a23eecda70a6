"""A history that observes what webhooks bring is that of the next run."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pullrisk.features import NAMES
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.score.history_cache import HistoryCache
from support.sample import sample_pulls

NAME = "kedro-org/kedro"
KNOWN, ALL = 200, 240


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "pulls.sqlite") as opened:
        yield opened


def events(count: int) -> list[Pull]:
    return sorted(
        (pull for pull in sample_pulls(count) if pull.event_at),
        key=lambda pull: (pull.event_at, pull.number),
    )


def test_it_is_the_history_of_the_next_run_and_gives_the_same_rows(
    store: SqliteStore, tmp_path: Path
) -> None:
    known = events(ALL)
    store.upsert(known[:KNOWN])
    lake = Lake(tmp_path / "lake")
    preprocess(store, lake)
    cache = HistoryCache(lake, ready_bytes=10**9, later=store.events_since)
    assert cache.get(NAME).as_of == known[KNOWN - 1].event_at
    live = {}
    for pull in known[KNOWN:]:
        history = cache.get(NAME).history
        assert history is not None
        if pull.merged_at:
            live[pull.number] = history.features(pull, as_of=pull.merged_at)
        store.upsert([pull])
        assert cache.refresh() == 1
    observed = cache.get(NAME).history
    assert observed is not None
    assert cache.refresh() == 0
    preprocess(store, lake)
    assert observed.save() == lake.history(NAME)
    table = lake.table(["number", *NAMES], repository=NAME, numbers=set(live))
    assert table.num_rows == len(live) > ALL - KNOWN - 20
    for row in table.to_pylist():
        made = np.array([row[name] for name in NAMES], np.float32)
        np.testing.assert_array_equal(made, np.array(live[row["number"]], np.float32))


def test_what_arrives_late_is_left_to_the_next_run(store: SqliteStore, tmp_path: Path) -> None:
    known = events(ALL)
    store.upsert([*known[: KNOWN - 1], *known[KNOWN : KNOWN + 1]])
    lake = Lake(tmp_path / "lake")
    preprocess(store, lake)
    cache = HistoryCache(lake, ready_bytes=10**9, later=store.events_since)
    before = cache.get(NAME).history
    store.upsert([known[KNOWN - 1]])
    assert cache.refresh() == 0
    assert cache.get(NAME).history is before


def test_a_history_that_was_compressed_observes_it_too(store: SqliteStore, tmp_path: Path) -> None:
    known = events(ALL)
    store.upsert(known[:KNOWN])
    lake = Lake(tmp_path / "lake")
    preprocess(store, lake)
    cache = HistoryCache(lake, ready_bytes=0, later=store.events_since)
    cache.get(NAME)
    cache._ready.clear()
    store.upsert(known[KNOWN:])
    assert cache.get(NAME).as_of == known[-1].event_at
