"""The pipeline over MongoDB gives what it gives over SQLite."""

from pathlib import Path

import pyarrow as pa

from pullrisk.fetch.files import fetch_files
from pullrisk.lake import Lake
from pullrisk.preprocess import preprocess
from pullrisk.progress import Silent
from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore
from support.preprocessing import rows
from support.sample import sample_lines

REPOSITORIES = ("kedro-org/kedro", "rust-lang/cargo")
LINES = 600


def slices(folder: Path) -> list[str]:
    """The first lines of some files of the sample."""
    paths = []
    for name in REPOSITORIES:
        path = folder / f"{name.rpartition('/')[2]}.jsonl"
        path.write_bytes(b"".join(sample_lines(LINES, repository=name)))
        paths.append(str(path))
    return paths


def table(store: PullStore, folder: Path, *, workers: int) -> pa.Table:
    """The feature table of everything in the store, made in two runs."""
    lake = Lake(str(folder))
    preprocess(store, lake, workers=workers, repositories=["kedro-org/kedro"])
    report = preprocess(store, lake, workers=workers)
    assert [one.status for one in report.repositories] == ["unchanged", "new"]
    return rows(lake).sort_by([("repository", "ascending"), ("number", "ascending")])


def test_preprocess_gives_the_same_table_over_mongodb_as_over_sqlite(
    tmp_path: Path, mongo_uri: str
) -> None:
    files = slices(tmp_path)
    with SqliteStore(tmp_path / "pulls.sqlite") as sqlite, MongoStore(mongo_uri) as mongo:
        for store in (sqlite, mongo):
            assert fetch_files(files, store, progress=Silent()).written.inserted == 2 * LINES
        expected = table(sqlite, tmp_path / "a", workers=1)
        found = table(mongo, tmp_path / "b", workers=2)
    assert expected.num_rows > LINES
    assert found.equals(expected)
