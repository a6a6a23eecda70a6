"""A store and a lake to preprocess, and made-up repositories to put into them."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore

START = datetime(2024, 2, 29, 12, tzinfo=UTC)

MakePull = Callable[..., Pull]
Rows = Callable[[Lake], pa.Table]


def made_pull(
    number: int, *, repository: str = "o/r", hours: float | None = None, **fields: object
) -> Pull:
    chance = random.Random(number)
    at = START + timedelta(hours=number if hours is None else hours)
    reverts = number > 1 and number % 7 == 0
    known: dict[str, object] = {
        "repository": repository,
        "number": number,
        "created_at": at - timedelta(hours=chance.randrange(1, 100)),
        "updated_at": at,
        "merged_at": None if number % 11 == 5 else at,
        "closed_at": at,
        "title": f'Revert "Change" (#{number - 1})' if reverts else f"Change {number}",
        "body": f"Reverts {repository}#{number - 1}" if reverts else "",
        "author": chance.choice(["ann", "bob", "eve", None]),
        "files": tuple(
            ChangedFile(f"src/{chance.randrange(9)}.py", "modified", chance.randrange(99), 1)
            for _ in range(chance.randrange(4))
        ),
    }
    return Pull(**(known | fields))  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "pulls.sqlite") as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def make_pull() -> MakePull:
    """`make_pull(number, repository=…, hours=…, **fields)`: an event `hours` after the start."""
    return made_pull


@pytest.fixture
def rows() -> Rows:
    """`rows(lake)`: the newest table but for which run wrote each row."""

    def read(lake: Lake) -> pa.Table:
        lake.refresh()
        return lake.table().drop_columns(["run"])

    return read


@pytest.fixture
def undisturbed(tmp_path: Path, rows: Rows) -> Callable[[PullStore], pa.Table]:
    """`undisturbed(store)`: the rows of one full run over the store, into a fresh lake."""

    def replay(store: PullStore) -> pa.Table:
        fresh = Lake(tmp_path / f"fresh-{random.getrandbits(64):x}")
        preprocess(store, fresh)
        return rows(fresh)

    return replay
