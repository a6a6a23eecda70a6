"""Histories in memory: bounded in number and bytes, compressed or ready, never out of date."""

import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec
import pytest

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.score.history_cache import HistoryCache
from support.sample import sample_pulls

NAMES = ("o/one", "o/two", "o/three")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def pulls(name: str, many: int) -> Iterator[Pull]:
    for pull in sample_pulls(many):
        yield msgspec.structs.replace(pull, repository=name, repository_id=None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of three repositories that are told apart by their sizes."""
    home = tmp_path_factory.mktemp("histories")
    with SqliteStore(home / "pulls.sqlite") as store:
        for place, name in enumerate(NAMES):
            store.upsert(pulls(name, 20 + place))
        preprocess(store, Lake(home / "lake"))
    return home


def row(histories: HistoryCache, name: str) -> list[float]:
    history = histories.get(name).history
    assert history is not None
    return history.features(next(pulls(name, 1)), as_of=NOW)


def test_beyond_the_bytes_only_the_last_used_is_ready(home: Path) -> None:
    histories = HistoryCache(Lake(home / "lake"), ready_bytes=1)
    for name in NAMES:
        histories.get(name)
    assert len(histories) == 3
    assert histories.ready == 1
    assert histories.peek("o/one") is None
    assert histories.peek("o/three") is not None


def test_where_there_is_room_all_stay_ready(home: Path) -> None:
    histories = HistoryCache(Lake(home / "lake"), ready_bytes=10_000_000)
    for name in NAMES:
        histories.get(name)
    assert histories.ready == 3


def test_a_decompressed_history_answers_as_before_and_without_the_lake(
    home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home / "lake", tmp_path / "lake")
    histories = HistoryCache(Lake(tmp_path / "lake"), ready_bytes=1)
    before = [row(histories, name) for name in NAMES]
    shutil.rmtree(tmp_path / "lake")
    assert [row(histories, name) for name in NAMES] == before


def test_unknown_repositories_make_no_room(home: Path) -> None:
    histories = HistoryCache(Lake(home / "lake"), limit=3, ready_bytes=10_000_000)
    for name in (*NAMES, *(f"nobody/knows-{number}" for number in range(3_000))):
        histories.get(name)
    assert histories.ready == len(histories) == 3
    assert all(histories.peek(name) is not None for name in NAMES)
    unknown = [number for number in range(3_000) if histories.peek(f"nobody/knows-{number}")]
    assert unknown == [*range(2_000, 3_000)]


def test_an_unknown_repository_is_known_once_a_run_wrote_it(home: Path, tmp_path: Path) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    histories = HistoryCache(Lake(own / "lake"), limit=3)
    assert histories.get("o/four").history is None
    with SqliteStore(own / "pulls.sqlite") as store:
        store.upsert(pulls("o/four", 20))
        preprocess(store, Lake(own / "lake"))
    histories.move(Lake(own / "lake"))
    assert histories.refresh() == 1
    assert histories.get("o/four").history is not None


def test_beyond_the_limit_the_least_recently_used_is_forgotten(home: Path) -> None:
    histories = HistoryCache(Lake(home / "lake"), limit=2, ready_bytes=1)
    histories.get("o/one")
    histories.get("o/two")
    histories.get("o/one")
    histories.get("o/three")
    assert [name for name, _ in histories.as_of()] == ["o/one", "o/three"]
    assert histories.decompress("o/two") is None


def test_a_later_run_replaces_what_is_compressed_too(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    lake = Lake(tmp_path / "home" / "lake")
    histories = HistoryCache(lake, ready_bytes=1)
    for name in NAMES:
        histories.get(name)
    with SqliteStore(tmp_path / "home" / "pulls.sqlite") as store:
        store.upsert(pulls("o/one", 40))
        preprocess(store, Lake(tmp_path / "home" / "lake"))
    lake.refresh()
    assert histories.refresh() == 1
    found = histories.get("o/one").history
    assert found is not None
    assert found.pulls > 20
    assert histories.refresh() == 0


def test_an_unknown_repository_is_looked_for_once_and_known_to_be_unknown(home: Path) -> None:
    histories = HistoryCache(Lake(home / "lake"), ready_bytes=1)
    assert histories.get("o/nowhere").history is None
    held = histories.peek("o/nowhere")
    assert held is not None
    assert held.run is None


def test_threads_may_ask_while_one_looks_for_what_is_new(home: Path) -> None:
    histories, interval = HistoryCache(Lake(home / "lake"), ready_bytes=1), sys.getswitchinterval()
    for number in range(1_000):
        histories.get(f"nobody/knows-{number}")
    sys.setswitchinterval(1e-6)  # the threads take turns at every chance
    try:
        with ThreadPoolExecutor(1) as thread:
            looking = thread.submit(lambda: sum(histories.refresh() for _ in range(100)))
            for number in count(1_000):
                histories.get(f"nobody/knows-{number}")
                if looking.done():
                    break
    finally:
        sys.setswitchinterval(interval)
    assert looking.result() == 0
