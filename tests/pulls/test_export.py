"""A store goes into a file of records and out of it into another store, whole."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch.files import fetch_files, read_pulls
from pullrisk.progress import Silent
from pullrisk.pulls.export import export_store
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.sqlite import SqliteStore

DAY = datetime(2024, 1, 1, tzinfo=UTC)


def pull(number: int, repository: str = "o/r", *, merged: bool = True) -> Pull:
    at = DAY + timedelta(hours=abs(number))
    return Pull(
        repository=repository,
        number=number,
        created_at=at,
        updated_at=at,
        merged_at=at if merged else None,
        files=(ChangedFile("a.py", "modified", 1, 1, None, 1, 1),),
        lines=ChangedLines(rewrites=(Origin(number - 1, 1, 0),), neighbours=(), code_added=1),
    )


@pytest.fixture
def store(tmp_path: Path) -> SqliteStore:
    store = SqliteStore(tmp_path / "pulls.sqlite")
    store.upsert([pull(9, merged=False), pull(2), pull(-3), pull(1), pull(5, "a/b")])
    return store


def content(store: SqliteStore) -> dict[str, list[Pull]]:
    return {
        one.repository: [*store.pulls(one.repository), *store.pushes(one.repository)]
        for one in store.repositories()
    }


@pytest.mark.parametrize("name", ["records.jsonl", "records.jsonl.gz"])
def test_another_store_gets_everything_of_the_file(
    store: SqliteStore, tmp_path: Path, name: str
) -> None:
    report = export_store(store, tmp_path / name)
    assert (report.repositories, report.pulls, report.pushes) == (2, 4, 1)
    with SqliteStore(tmp_path / "other.sqlite") as other:
        fetched = fetch_files([tmp_path / name], other, progress=Silent())
        assert (fetched.read, fetched.written.inserted) == (4, 4), "pushes are not counted"
        assert content(other) == content(store)
        again = fetch_files([tmp_path / name], other, progress=Silent())
        assert (again.read, again.resumed) == (0, 5)


def test_events_stand_in_their_order_and_open_pulls_behind_them(
    store: SqliteStore, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    export_store(store, path, repositories=["o/r"])
    assert [line.split(b'"number":')[1].split(b",")[0] for line in path.read_bytes().split()] == [
        b"1", b"2", b"-3", b"9",
    ]  # fmt: skip
    assert [one.number for one in read_pulls(path)] == [1, 2, 9], "a push is no pull request"


def test_the_same_records_give_the_same_bytes(store: SqliteStore, tmp_path: Path) -> None:
    paths = [tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.gz"]
    for path in paths:
        export_store(store, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert gzip.decompress(paths[0].read_bytes()).count(b"\n") == 5


def test_a_bad_line_is_told_and_what_stands_before_it_is_kept(
    store: SqliteStore, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    export_store(store, path, repositories=["o/r"])
    lines = path.read_bytes().splitlines()
    lines[2] = lines[2].replace(b'"pullrisk_record":1', b'"pullrisk_record":7')
    path.write_bytes(b"\n".join(lines))
    with SqliteStore(tmp_path / "other.sqlite") as other:
        with pytest.raises(InputError, match=r"records.jsonl, line 3: .* version 7") as raised:
            fetch_files([path], other, progress=Silent())
        assert "later version" in str(raised.value.hint)
        assert [one.number for one in other.pulls("o/r")] == [1, 2]
        fetched = fetch_files([path], other, progress=Silent(), skip=True)
        assert [(bad.line, fetched.read) for bad in fetched.bad_lines] == [(3, 1)]
        assert [one.number for one in other.pulls("o/r")] == [1, 2, 9]


def test_a_name_that_the_store_does_not_know_is_told_and_the_old_file_stays(
    store: SqliteStore, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text("before")
    with pytest.raises(InputError, match="o/x") as raised:
        export_store(store, path, repositories=["o/r", "o/x"])
    assert "a/b, o/r" in str(raised.value.hint)
    assert path.read_text() == "before"


def test_an_empty_store_and_a_place_that_cannot_be_written_are_told(
    store: SqliteStore, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="holds no pull requests"):
        export_store(SqliteStore(tmp_path / "none.sqlite"), tmp_path / "x.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        export_store(store, tmp_path / "file" / "x.jsonl")
