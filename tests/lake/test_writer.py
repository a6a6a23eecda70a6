import resource
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pullrisk.errors import LakeError
from pullrisk.features.replay import Block
from pullrisk.lake import FeatureWriter, Lake
from pullrisk.lake.schema import batch
from pullrisk.lake.writer import OWN_FILE_ROWS, delete_run

MakeBlock = Callable[..., Block]


def test_small_repositories_share_a_file_and_a_large_one_is_not_followed(
    lake: Lake, make_block: MakeBlock
) -> None:
    writer = FeatureWriter(lake.files, run=1)
    for name, rows in (("o/a", 3), ("o/large", OWN_FILE_ROWS), ("o/b", 3), ("o/c", 2)):
        writer.start_repository()
        writer.write(batch(make_block(name, rows=rows), run=1))
    first, second = writer.finish()
    assert (first.rows, second.rows) == (OWN_FILE_ROWS + 3, 5)
    stored = pq.read_table(Path(lake.uri, "features", second.path))
    assert stored["repository"].to_pylist() == ["o/b"] * 3 + ["o/c"] * 2
    assert second.size == Path(lake.uri, "features", second.path).stat().st_size


def test_a_writer_without_rows_writes_no_file(lake: Lake) -> None:
    writer = FeatureWriter(lake.files, run=1)
    writer.start_repository()
    assert writer.finish() == []


def test_abort_deletes_open_and_finished_files(lake: Lake, make_block: MakeBlock) -> None:
    writer = FeatureWriter(lake.files, run=1)
    for name in ("o/a", "o/b"):
        writer.start_repository()
        writer.write(batch(make_block(name, rows=OWN_FILE_ROWS), run=1))
    assert len(parquet(lake)) == 2
    writer.abort()
    assert parquet(lake) == []


def test_only_the_named_runs_files_are_deleted(lake: Lake, make_block: MakeBlock) -> None:
    for run in (1, 11):
        writer = FeatureWriter(lake.files, run=run)
        writer.write(batch(make_block(), run=run))
        writer.finish()
    delete_run(lake.files, 1)
    (left,) = parquet(lake)
    assert left.name.startswith("run-11-")


def test_a_full_disk_is_told_and_leaves_no_file(lake: Lake, make_block: MakeBlock) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer = FeatureWriter(lake.files, run=1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limit[1]))
    try:
        writer.write(batch(make_block(rows=100), run=1))
        with pytest.raises(LakeError, match=r"the disk is full(?s:.)*free some space"):
            writer.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert parquet(lake) == []


def parquet(lake: Lake) -> list[Path]:
    return list(Path(lake.uri, "features").glob("*.parquet"))
