import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from pullrisk.errors import LakeError
from pullrisk.features.replay import Block
from pullrisk.lake import Change, Lake
from pullrisk.lake.commit import SMALL_FILES
from pullrisk.lake.delta import FeatureTable
from pullrisk.lake.writer import OWN_FILE_ROWS
from pullrisk.pulls.consumed import ConsumedPulls
from support.preprocessing import all_at_once

MakeBlock = Callable[..., Block]
MakeChange = Callable[..., Change]


def parquet_files(lake: Lake) -> list[str]:
    table = FeatureTable.open(lake.files)
    assert table is not None
    return [file.path for file in table.parquet_files()]


def numbers(lake: Lake, repository: str) -> list[int]:
    lake.refresh()
    found: list[int] = lake.table(["number"], repository=repository)["number"].to_pylist()
    return found


def test_of_two_runs_over_one_repository_the_second_is_told_to_run_again(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block(rows=2)))
    one, two = make_change(make_block(first=3)), make_change(make_block(first=3))
    lake.commit(two)
    with pytest.raises(LakeError, match=r"another run committed(?s:.)*run again"):
        lake.commit(one)
    assert numbers(lake, "o/r") == [1, 2, 3, 4, 5, 6, 7]
    assert lake.current_run("o/r") == two.run


def test_of_two_first_runs_over_one_repository_one_wins(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    one, two = make_change(make_block()), make_change(make_block())
    lake.commit(one)
    with pytest.raises(LakeError, match="another run committed"):
        lake.commit(two)
    assert numbers(lake, "o/r") == [1, 2, 3, 4, 5]


def test_runs_over_different_repositories_all_land(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/base")))
    names = [f"o/r{index}" for index in range(8)]
    changes = [make_change(make_block(name)) for name in names]
    commit_at_once(lake, changes)
    lake.refresh()
    assert lake.repositories() == ["o/base", *names]
    assert lake.table().num_rows == 5 * 9


def test_runs_that_rewrite_the_same_file_all_land(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    names = [f"o/r{index}" for index in range(6)]
    lake.commit(make_change(*(make_block(name) for name in names)))
    assert len(parquet_files(lake)) == 1
    changes = [
        make_change(make_block(name, first=10, rows=2), replaced=frozenset({name}))
        for name in names
    ]
    commit_at_once(lake, changes)
    assert [numbers(lake, name) for name in names] == [[10, 11]] * 6


def commit_at_once(lake: Lake, changes: list[Change]) -> None:
    all_at_once(lambda change: Lake(lake.uri).commit(change), changes)


def test_a_rebuilt_repository_loses_its_old_rows_and_no_other_does(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/a"), make_block("o/b"), make_block("o/c")))
    lake.commit(make_change(make_block("o/b", first=6)))
    lake.commit(make_change(make_block("o/b", first=50, rows=2), replaced=frozenset({"o/b"})))
    assert numbers(lake, "o/a") == numbers(lake, "o/c") == [1, 2, 3, 4, 5]
    assert numbers(lake, "o/b") == [50, 51]


def test_files_without_rows_of_the_rebuilt_repository_stay(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/a"), make_block("o/c")))
    (kept,) = parquet_files(lake)
    lake.commit(make_change(make_block("o/b")))
    lake.commit(make_change(make_block("o/b"), replaced=frozenset({"o/b"})))
    assert kept in parquet_files(lake)


def test_a_repository_that_is_gone_leaves_no_row_and_no_history(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/a"), make_block("o/b")))
    lake.commit(
        Change(
            run=9,
            base={"o/a": 1},
            base_version=lake.version,
            files=[],
            gone=frozenset({"o/a"}),
        )
    )
    assert lake.repositories() == ["o/b"]
    assert set(lake.table(["repository"])["repository"].to_pylist()) == {"o/b"}


def test_many_small_files_are_merged(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    for index in range(SMALL_FILES + 2):
        lake.commit(make_change(make_block(first=1 + index, rows=1)))
    assert len(parquet_files(lake)) == 2
    assert numbers(lake, "o/r") == list(range(1, SMALL_FILES + 3))


def test_files_that_are_large_enough_are_not_merged(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/large", rows=OWN_FILE_ROWS)))
    (large,) = parquet_files(lake)
    for index in range(SMALL_FILES + 2):
        lake.commit(make_change(make_block(first=1 + index, rows=1)))
    assert large in parquet_files(lake)
    assert len(parquet_files(lake)) == 3


def test_histories_stay_known_over_checkpoints_of_the_log(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/early")))
    for index in range(105):
        lake.commit(make_change(make_block(first=1 + index, rows=1)))
    assert list(Path(lake.uri, "features", "_delta_log").glob("*.checkpoint.parquet"))
    fresh = Lake(lake.uri)
    assert fresh.repositories() == ["o/early", "o/r"]
    assert (fresh.current_run("o/early"), fresh.current_run("o/r")) == (1, 106)
    assert fresh.consumed("o/early") == ConsumedPulls({1: 1})


def test_a_full_disk_is_a_lake_error_and_shows_nothing(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block(rows=3)))
    change = make_change(make_block(first=4))
    before, limit = lake.table(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, limit[1]))
    try:
        with pytest.raises(LakeError):
            lake.commit(change)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    lake.refresh()
    assert repr(lake.table().to_pydict()) == repr(before.to_pydict())  # an unknown is no equal
    lake.commit(change)
    assert numbers(lake, "o/r") == [1, 2, 3, 4, 5, 6, 7, 8]
