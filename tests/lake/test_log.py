import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pullrisk.errors import LakeError
from pullrisk.features.replay import Block
from pullrisk.lake import Change, Lake, log
from pullrisk.lake.delta import app_id
from pullrisk.lake.files import Files
from pullrisk.lake.schema import TABLE

MakeBlock = Callable[..., Block]
MakeChange = Callable[..., Change]
NAMES = ("o/r0", "o/r1", "p/ä b")


def fill(lake: Lake, make_block: MakeBlock, make_change: MakeChange, *, commits: int) -> None:
    for number in range(commits):
        name = NAMES[number % len(NAMES)]
        replaced = frozenset([name] if number % 4 == 3 else [])
        lake.commit(make_change(make_block(name, first=10 * number + 1), replaced=replaced))


def assert_equal_to_delta_rs(lake: Lake, version: int | None = None) -> None:
    ours = log.read(lake.files, TABLE, version=version)
    theirs = DeltaTable(f"{lake.uri}/{TABLE}", version)
    assert ours is not None
    assert ours.version == theirs.version()
    assert ours.description == theirs.metadata().description
    actions = pa.table(theirs.get_add_actions(flatten=True))
    assert {unquote(each.path): each.size for each in ours.files.values()} == dict(
        zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True)
    )
    for name in NAMES:
        assert ours.transactions.get(app_id(name)) == theirs.transaction_version(app_id(name))


def delta_log(lake: Lake) -> Path:
    return Path(lake.uri, TABLE, "_delta_log")


def test_every_version_reads_as_delta_rs_reads_it(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    fill(lake, make_block, make_change, commits=9)
    for version in (*range(9), None):
        assert_equal_to_delta_rs(lake, version)


def test_it_reads_on_from_a_checkpoint_when_older_commits_are_gone(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    fill(lake, make_block, make_change, commits=6)
    DeltaTable(f"{lake.uri}/{TABLE}").create_checkpoint()
    for number in range(5):
        (delta_log(lake) / f"{number:020}.json").unlink()
    assert_equal_to_delta_rs(lake)
    lake.commit(make_change(make_block(NAMES[0], first=500)))
    assert_equal_to_delta_rs(lake)


def test_a_checkpoint_counts_only_with_all_its_parts(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    fill(lake, make_block, make_change, commits=5)
    expected = log.read(lake.files, TABLE)
    DeltaTable(f"{lake.uri}/{TABLE}").create_checkpoint()
    (whole,) = delta_log(lake).glob("*.checkpoint.parquet")
    rows = pq.read_table(whole)
    whole.unlink()
    parts = [delta_log(lake) / f"{4:020}.checkpoint.{part:010}.{2:010}.parquet" for part in (1, 2)]
    pq.write_table(rows.slice(0, 3), parts[0])
    read = log.read(lake.files, TABLE)
    assert read is not None
    assert expected is not None
    assert read.files == expected.files, "one part of two is no checkpoint: the commits count"
    pq.write_table(rows.slice(3), parts[1])
    for number in range(5):
        (delta_log(lake) / f"{number:020}.json").unlink()
    read = log.read(lake.files, TABLE)
    assert read is not None
    assert read.files.keys() == expected.files.keys()
    assert read.transactions == expected.transactions


def test_no_table_is_none(lake: Lake) -> None:
    assert log.read(lake.files, TABLE) is None


@pytest.mark.parametrize("version", [2, 7])
def test_a_version_that_the_log_lacks_is_an_error(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange, version: int
) -> None:
    fill(lake, make_block, make_change, commits=4)
    (delta_log(lake) / f"{2:020}.json").unlink()
    with pytest.raises(LakeError, match=r"version \d is missing"):
        log.read(lake.files, TABLE, version=version)


def test_a_damaged_commit_is_an_error_that_names_it(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    fill(lake, make_block, make_change, commits=2)
    (delta_log(lake) / f"{1:020}.json").write_text('{"add": {"path"')
    with pytest.raises(LakeError, match=r"0001\.json cannot be read"):
        log.read(lake.files, TABLE)


def test_a_commit_that_came_with_rubbish_behind_it_is_read_again(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a service whose HEAD says a length that its GET does not keep."""
    fill(lake, make_block, make_change, commits=2)
    expected = log.read(lake.files, TABLE)
    read, seen = Files.read, set[str]()

    def spoilt(self: Files, path: str) -> bytes:
        content = read(self, path)
        first = path not in seen
        seen.add(path)
        return content + b"\x81\x7f\0" if first else content

    monkeypatch.setattr(Files, "read", spoilt)
    again = log.read(lake.files, TABLE)
    assert again is not None
    assert expected is not None
    assert again.files.keys() == expected.files.keys()


def test_a_table_for_newer_readers_is_refused(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    fill(lake, make_block, make_change, commits=1)
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["x"]}}
    (delta_log(lake) / f"{1:020}.json").write_text(json.dumps(protocol))
    with pytest.raises(LakeError, match="needs a reader of Delta version 3"):
        log.read(lake.files, TABLE)


def test_reading_the_lake_needs_no_delta_rs_and_writing_says_so(
    lake: Lake, make_block: MakeBlock, make_change: MakeChange
) -> None:
    fill(lake, make_block, make_change, commits=2)
    program = f"""
import sys
sys.modules["deltalake"] = None
from pullrisk.errors import MissingExtraError
from pullrisk.lake import Change, Lake
lake = Lake({lake.uri!r})
print(len(lake.table()), lake.history("o/r0"), lake.schema_hash is not None)
try:
    lake.commit(Change(run=9, base={{}}, base_version=1, files=[]))
except MissingExtraError as error:
    print(error)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "10 b'history' True",
        "deltalake is not installed",
        "  run: pip install 'pullrisk[lake]'",
    ]
