"""A store and a lake to preprocess."""

import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore
from support.preprocessing import Undisturbed, rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "pulls.sqlite") as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def undisturbed(tmp_path: Path) -> Undisturbed:
    """`undisturbed(store)`: the rows of one full run over the store, into a fresh lake."""

    def replay(store: PullStore) -> pa.Table:
        fresh = Lake(tmp_path / f"fresh-{random.getrandbits(64):x}")
        preprocess(store, fresh)
        return rows(fresh)

    return replay
