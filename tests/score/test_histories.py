"""Histories in memory: bounded in number and in bytes, asleep and awake, never older than asked."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import Pull, parse_rest
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.score.histories import Histories
from support.serving import sample_lines

NAMES = ("o/one", "o/two", "o/three")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def pulls(name: str, count: int) -> Iterator[Pull]:
    for line in sample_lines(count):
        yield msgspec.structs.replace(parse_rest(line), repository=name, repository_id=None)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of three repositories that are told apart by their sizes."""
    home = tmp_path_factory.mktemp("histories")
    with SqliteStore(home / "pulls.sqlite") as store:
        for place, name in enumerate(NAMES):
            store.upsert(pulls(name, 20 + place))
        preprocess(store, Lake(home / "lake"))
    return home


def row(histories: Histories, name: str) -> list[float]:
    history = histories.get(name).history
    assert history is not None
    return history.features(next(pulls(name, 1)), as_of=NOW)


def test_beyond_the_bytes_all_but_the_last_used_are_asleep(home: Path) -> None:
    histories = Histories(Lake(home / "lake"), awake_bytes=1)
    for name in NAMES:
        histories.get(name)
    assert len(histories) == 3
    assert histories.awake == 1
    assert histories.peek("o/one") is None
    assert histories.peek("o/three") is not None


def test_where_there_is_room_all_stay_awake(home: Path) -> None:
    histories = Histories(Lake(home / "lake"), awake_bytes=10_000_000)
    for name in NAMES:
        histories.get(name)
    assert histories.awake == 3


def test_a_history_that_wakes_answers_as_before_and_without_the_lake(
    home: Path, tmp_path: Path
) -> None:
    shutil.copytree(home / "lake", tmp_path / "lake")
    histories = Histories(Lake(tmp_path / "lake"), awake_bytes=1)
    before = [row(histories, name) for name in NAMES]
    shutil.rmtree(tmp_path / "lake")
    assert [row(histories, name) for name in NAMES] == before


def test_beyond_the_limit_the_least_recently_used_is_forgotten(home: Path) -> None:
    histories = Histories(Lake(home / "lake"), limit=2, awake_bytes=1)
    histories.get("o/one")
    histories.get("o/two")
    histories.get("o/one")
    histories.get("o/three")
    assert [name for name, _ in histories.as_of()] == ["o/one", "o/three"]
    assert histories.wake("o/two") is None


def test_a_later_run_replaces_what_is_asleep_too(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home, tmp_path / "home")
    lake = Lake(tmp_path / "home" / "lake")
    histories = Histories(lake, awake_bytes=1)
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
    histories = Histories(Lake(home / "lake"), awake_bytes=1)
    assert histories.get("o/nowhere").history is None
    held = histories.peek("o/nowhere")
    assert held is not None
    assert held.run is None
