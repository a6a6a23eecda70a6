import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from pullrisk.errors import LakeError, NotEnoughDataError, SettingsError
from pullrisk.features import NAMES
from pullrisk.features.replay import Block
from pullrisk.lake import Change, DamagedObjectError, Lake
from pullrisk.lake.delta import FeatureTable
from pullrisk.lake.schema import LAYOUT, SCHEMA, TEXTS
from pullrisk.pulls.consumed import ConsumedPulls
from support.preprocessing import comparable

MakeBlock = Callable[..., Block]
MakeChange = Callable[..., Change]


def rewrite_identity(lake: Lake, **fields: object) -> None:
    """Change what the first commit says of the table, as another pullrisk would have."""
    log = Path(lake.uri, "features", "_delta_log", "00000000000000000000.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "metaData" in line:
            identity = json.loads(line["metaData"]["description"])
            line["metaData"]["description"] = json.dumps(identity | fields)
    log.write_text("\n".join(map(json.dumps, lines)))
    lake.refresh()


def test_an_empty_folder_is_a_lake_without_a_table(lake: Lake) -> None:
    assert not lake.exists()
    assert lake.version is None
    assert lake.repositories() == []
    assert lake.consumed("o/r") is None
    assert lake.runs() == []
    assert lake.vacuum() == []
    with pytest.raises(NotEnoughDataError, match="no feature table yet"):
        lake.table()


def test_rows_come_back_as_they_were_written(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    block = make_block("o/r", rows=5)
    lake.commit(make_change(block))
    table = lake.table()
    assert table.schema.names == SCHEMA.names
    assert table["number"].to_pylist() == block.numbers
    assert table["merged_at"].to_pylist() == block.merged_at
    assert table["author"].to_pylist() == ["ann", "ann", "ann", None, "ann"]
    assert table["example"].to_pylist() == block.example
    for column, name in enumerate(NAMES):
        np.testing.assert_array_equal(table[name].to_numpy(), block.matrix[:, column])
    assert table["links"].to_pylist() == [
        [msgspec.structs.asdict(link) for link in links] for links in block.links
    ]
    assert any(block.links)
    said = [table[name].to_pylist() for name in TEXTS]
    assert [*zip(*said, strict=True)] == [
        (one.title, [*one.labels], [*one.paths], one.says_reverts) for one in block.texts
    ]
    assert {True, False} == {one.says_reverts for one in block.texts}


def test_rows_are_ordered_by_repository_and_time_whatever_the_files(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("b/b", first=4, rows=3), make_block("a/a", rows=3)))
    lake.commit(make_change(make_block("b/b", first=1, rows=3)))
    keys = lake.table(["repository", "number"]).to_pydict()
    assert list(zip(*keys.values(), strict=True)) == [
        *(("a/a", number) for number in (1, 2, 3)),
        *(("b/b", number) for number in (1, 2, 3, 4, 5, 6)),
    ]


def test_columns_and_repository_can_be_chosen(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/a", rows=2), make_block("o/b", rows=4)))
    assert lake.table(["number"], repository="o/b").to_pydict() == {"number": [1, 2, 3, 4]}
    assert lake.table(repository="o/none").num_rows == 0


def test_a_lake_reads_one_version_until_it_is_refreshed(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block(rows=2)))
    reader = Lake(lake.uri)
    assert reader.table().num_rows == 2
    lake.commit(make_change(make_block(first=3, rows=2)))
    assert (reader.version, reader.table().num_rows, reader.current_run("o/r")) == (0, 2, 1)
    reader.refresh()
    assert (reader.version, reader.table().num_rows, reader.current_run("o/r")) == (1, 4, 2)
    reader.refresh(version=0)
    assert reader.table().num_rows == 2


def test_other_engines_skip_files_by_repository_and_time(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/a", rows=5)))
    lake.commit(make_change(make_block("o/b", first=100, rows=5)))
    actions = pa.table(DeltaTable(f"{lake.uri}/features").get_add_actions(flatten=True))
    found = {
        row["min.repository"]: (row["max.repository"], row["min.merged_at"], row["max.number"])
        for row in actions.to_pylist()
    }
    start = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert found == {
        "o/a": ("o/a", start + timedelta(hours=1), 5),
        "o/b": ("o/b", start + timedelta(hours=100), 104),
    }


def test_the_current_history_is_the_one_of_the_last_committed_run(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    change = make_change(make_block())
    lake.commit(change)
    lake.objects.write("o/r", run=99, history=b"never committed", consumed=ConsumedPulls({}))
    assert lake.history("o/r") == b"history"
    assert lake.consumed("o/r") == ConsumedPulls({1: 1})
    assert lake.history("o/other") is None
    assert lake.repositories() == ["o/r"]


@pytest.mark.parametrize("kind", ["history", "ledger"])
@pytest.mark.parametrize("damage", ["missing", "flipped", "cut", "empty"])
def test_a_damaged_object_is_told_by_its_path(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange, kind: str, damage: str
) -> None:
    lake.commit(make_change(make_block()))
    file = Path(lake.uri, "histories", "o__r", f"1.{kind}")
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"flipped": content.swapcase(), "cut": content[:-3], "empty": b""}[damage])
    with pytest.raises(DamagedObjectError, match=f"histories/o__r/1.{kind}"):
        (lake.history if kind == "history" else lake.consumed)("o/r")


def test_a_newer_layout_is_refused_by_its_number(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block()))
    with pytest.raises(
        LakeError, match=rf"layout 7, written by pullrisk 9\.9.*knows layout {LAYOUT}"
    ):
        rewrite_identity(lake, layout=7, pullrisk="9.9")


def test_a_table_of_another_feature_schema_is_not_read(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block()))
    rewrite_identity(lake, schema_hash="0123456789abcdef")
    for read in (lake.table, lambda: lake.history("o/r")):
        with pytest.raises(LakeError, match=r"feature schema 0123456789abcdef(?s:.)*preprocess"):
            read()


def test_a_table_of_an_older_layout_is_not_read(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block()))
    rewrite_identity(lake, layout=1)
    with pytest.raises(LakeError, match=r"with layout 1, this pullrisk writes (?s:.)*preprocess"):
        lake.table()


def test_another_programs_table_is_refused(lake: Lake) -> None:
    write_deltalake(f"{lake.uri}/features", pa.table({"a": [1]}))
    with pytest.raises(LakeError, match="another program"):
        lake.exists()


def test_a_uri_that_is_no_folder_and_no_bucket_is_refused() -> None:
    with pytest.raises(SettingsError, match="gs://bucket/lake"):
        Lake("gs://bucket/lake")


def test_a_lost_parquet_file_is_a_lake_error(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block()))
    next(Path(lake.uri, "features").glob("*.parquet")).unlink()
    with pytest.raises(LakeError, match="lake"):
        lake.table()


def test_runs_tell_what_each_commit_did(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block(rows=2)))
    lake.commit(make_change(make_block(first=3, rows=3)))
    latest, first = lake.runs()
    assert (latest.version, latest.facts) == (1, {"run": 2, "rows": 3})
    assert (first.version, first.facts) == (0, {"run": 1, "rows": 2})
    assert lake.runs(1) == [latest]
    assert abs(datetime.now(UTC) - latest.committed_at) < timedelta(minutes=5)


def test_vacuum_deletes_what_nothing_refers_to_and_nothing_else(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    lake.commit(make_change(make_block("o/a"), make_block("o/b")))
    lake.commit(make_change(make_block("o/a"), replaced=frozenset({"o/a"})))
    make_change(make_block("o/c"))  # never committed: an orphan
    before, version = lake.table(), lake.version
    assert lake.vacuum() == []
    deleted = lake.vacuum(older_than=timedelta(0))
    left = {path.name for path in Path(lake.uri, "features").glob("*.parquet")}
    table = FeatureTable.open(lake.files)
    assert table is not None
    assert left == {file.path for file in table.parquet_files()}
    assert {path for path in deleted if path.startswith("histories")} == {
        f"histories/{name}.{kind}"
        for name in ("o__a/1", "o__c/3")
        for kind in ("history", "ledger")
    }
    assert comparable(lake.table()).equals(comparable(before))
    assert lake.version is not None
    assert version is not None
    assert lake.repositories() == ["o/a", "o/b"]
    assert lake.history("o/b") == b"history"


def test_a_lake_may_be_moved_to_another_folder(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange, tmp_path: Path
) -> None:
    lake.commit(make_change(make_block()))
    before = lake.table()
    shutil.move(lake.uri, tmp_path / "elsewhere")
    assert comparable(Lake(tmp_path / "elsewhere").table()).equals(comparable(before))


def test_of_many_repositories_only_the_named_ones_are_cleaned(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    names = [f"o/r{index}" for index in range(120)]
    for name in [*names, "o/other"]:
        lake.objects.write(name, run=5, history=b"orphan", consumed=ConsumedPulls({}))
    lake.commit(make_change(make_block("o/r0"), make_block("o/other")))
    deleted = lake.vacuum_objects(names, older_than=timedelta(0))
    assert len(deleted) == 2 * len(names)
    left = {file.path for file in lake.objects.stored()}
    assert left == {
        f"histories/o__{name}/{run}.{kind}"
        for name, run in (("r0", 1), ("other", 1), ("other", 5))
        for kind in ("history", "ledger")
    }
