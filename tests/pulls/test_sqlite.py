"""What only the SQLite store promises: atomic batches, clear errors, speed of summaries."""

import os
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from pullrisk.errors import StoreError
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import _FINGERPRINTS, _SUMMARY, SqliteStore
from pullrisk.pulls.sqlite_file import VERSION
from pullrisk.pulls.store import Written
from support import small_disk

DAY = datetime(2024, 1, 1, tzinfo=UTC)

PRELUDE = "import sys; from pathlib import Path; from test_sqlite import fill, write_one; "
FILL = PRELUDE + "fill(Path(sys.argv[1]))"
WRITE_ONE = PRELUDE + "write_one(Path(sys.argv[1]))"


def pull(number: int, body: str = "") -> Pull:
    at = DAY + timedelta(minutes=number)
    return Pull(
        repository="o/r", number=number, created_at=at, updated_at=at, merged_at=at, body=body
    )


def fill(path: Path) -> None:
    """Write until the store refuses; print its error and what a fresh reader then finds."""
    written = 0
    with SqliteStore(path) as store:
        try:
            for start in range(1, 100_000, 50):
                batch = [pull(number, "x" * 1_000) for number in range(start, start + 50)]
                store.upsert(batch, checkpoint=("c", {"done": start + 49}))
                written = start + 49
        except StoreError as error:
            print(error)
        assert store.checkpoint("c") == {"done": written}
    with SqliteStore(path) as store:
        assert [p.number for p in store.events("o/r")] == list(range(1, written + 1))
        assert store.checkpoint("c") == {"done": written}
    print("whole:", written > 0)


def write_one(path: Path) -> None:
    """Write one pull and print what came of it."""
    with SqliteStore(path) as store:
        try:
            print(store.upsert([pull(1)]))
        except StoreError as error:
            print(error)


def run(command: list[str]) -> str:
    """What a subprocess that can import this module prints."""
    return small_disk.run(command, Path(__file__).parent)


def run_on_small_disk(script: str, path: Path, program: str) -> str:
    """Likewise, with a real disk of 2 MB under `path`."""
    return small_disk.run_on_small_disk(script, path, program, Path(__file__).parent)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pulls.sqlite"


def test_nothing_is_created_before_the_first_write(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "home" / "pulls.sqlite") as store:
        assert store.repositories() == []
        assert list(tmp_path.iterdir()) == []
        store.upsert([pull(1)])
        assert store.path.exists()
        assert store.get("o/r", 1) == pull(1)


def test_a_batch_whose_source_breaks_leaves_nothing(path: Path) -> None:
    def source() -> Iterator[Pull]:
        yield from map(pull, range(1, 5_000))
        raise OSError("the source broke")

    with SqliteStore(path) as store:
        with pytest.raises(OSError, match="the source broke"):
            store.upsert(source(), checkpoint=("c", {}))
        assert store.repositories() == []
        assert store.checkpoint("c") is None


def test_a_read_that_ends_while_the_store_is_closed_hinders_nobody(path: Path) -> None:
    class Emptied(deque[sqlite3.Connection]):
        """Whose last connection another thread takes once somebody has seen that there is one."""

        def __bool__(self) -> bool:
            there = len(self) > 0
            while len(self):
                self.pop().close()
            return there

    store = SqliteStore(path)
    store.upsert([pull(1)])
    assert store.get("o/r", 1) == pull(1)
    store._idle_readers = Emptied(store._idle_readers)
    store.close()


def test_a_checkpoint_that_json_cannot_hold_leaves_nothing(path: Path) -> None:
    with SqliteStore(path) as store:
        with pytest.raises(TypeError):
            store.upsert([pull(1)], checkpoint=("c", {"x": object()}))
        assert store.get("o/r", 1) is None


def test_a_source_that_writes_to_its_own_store_is_refused_and_nothing_hangs(path: Path) -> None:
    with SqliteStore(path) as store:

        def source() -> Iterator[Pull]:
            yield pull(1)
            store.upsert([pull(2)])

        with pytest.raises(StoreError, match="within a transaction"):
            store.upsert(source())
        assert store.repositories() == []


def test_a_store_of_a_newer_version_is_refused_by_readers_and_writers(path: Path) -> None:
    with SqliteStore(path) as store:
        store.upsert([pull(1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=f"version {VERSION + 1}.*knows {VERSION}") as caught:
            store.repositories()
        assert "upgrade" in str(caught.value)
        with pytest.raises(StoreError, match=f"version {VERSION + 1}"):
            store.upsert([pull(2)])


@pytest.mark.parametrize("content", [b"not a database, but text of some length " * 9, b"\x00" * 9])
def test_a_file_that_is_no_database_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=r"pulls\.sqlite: it is not an SQLite database"):
            store.repositories()
        with pytest.raises(StoreError, match="not an SQLite database"):
            store.upsert([pull(1)])
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_refused_and_kept(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE pulls (x)")
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="another program"):
            store.repositories()
        with pytest.raises(StoreError, match="another program"):
            store.upsert([pull(1)])


def test_an_empty_file_is_an_empty_store(path: Path) -> None:
    path.touch()
    with SqliteStore(path) as store:
        assert store.repositories() == []
        assert store.upsert([pull(1)]) == Written(inserted=1)


def test_a_damaged_record_names_the_pull(path: Path) -> None:
    with SqliteStore(path) as store:
        store.upsert([pull(1), pull(2)])
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE pulls SET payload = x'c1' WHERE number = 2")
            connection.commit()
        with pytest.raises(StoreError, match="pull 2 cannot be decoded"):
            list(store.events("o/r"))


def test_a_damaged_file_is_reported(path: Path) -> None:
    with SqliteStore(path) as store:
        store.upsert(pull(n, "x" * 500) for n in range(1, 1_000))
    with path.open("r+b") as file:
        file.seek(4_096)
        file.write(os.urandom(path.stat().st_size - 4_096))
    with SqliteStore(path) as store, pytest.raises(StoreError, match="damaged"):
        list(store.events("o/r"))


def test_a_folder_in_the_place_of_the_store_is_refused(path: Path) -> None:
    path.mkdir()
    with SqliteStore(path) as store, pytest.raises(StoreError, match="cannot be opened"):
        store.upsert([pull(1)])


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with SqliteStore(tmp_path / "home" / "pulls.sqlite") as store:
        with pytest.raises(StoreError, match="cannot create the folder") as caught:
            store.upsert([pull(1)])
        assert caught.value.hint is not None


def test_a_store_locked_by_another_writer_says_so_and_still_reads(path: Path) -> None:
    with SqliteStore(path, timeout=0.1) as store:
        store.upsert([pull(1)])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process is writing"):
                store.upsert([pull(2)])
            assert store.get("o/r", 1) == pull(1)
        assert store.upsert([pull(2)]) == Written(inserted=1)


def test_writers_wait_for_each_other_also_while_the_store_is_made(tmp_path: Path) -> None:
    def write(path: Path, together: threading.Barrier, first: int) -> int:
        with SqliteStore(path) as store:
            together.wait()
            for number in range(first, first + 5):
                store.upsert([pull(number)])
            return store.repositories()[0].pulls

    firsts = range(1, 800, 100)
    with ThreadPoolExecutor(len(firsts)) as pool:
        for path in (tmp_path / f"{attempt}.sqlite" for attempt in range(10)):
            together = threading.Barrier(len(firsts))
            assert max(pool.map(partial(write, path, together), firsts)) == 5 * len(firsts)


def test_a_file_size_limit_loses_no_committed_batch(path: Path) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, {(400_000,) * 2})\n"
    printed = run([sys.executable, "-c", limit + FILL, str(path)])
    assert "reading or writing the disk failed" in printed
    assert "whole: True" in printed


def test_a_full_disk_says_so_and_loses_no_committed_batch(path: Path) -> None:
    printed = run_on_small_disk('exec "$@"', path, FILL)
    assert "the disk is full" in printed
    assert "free some space" in printed
    assert "whole: True" in printed


def test_a_read_only_disk_says_so(path: Path) -> None:
    script = '"$@" && mount -o remount,ro none "$disk" && exec "$@"'
    wrote, refused, hint = run_on_small_disk(script, path, WRITE_ONE).splitlines()
    assert wrote == "Written(inserted=1, updated=0, unchanged=0)"
    assert "pulls.sqlite: it cannot be opened" in refused
    assert "folder can be written" in hint


def test_summaries_and_fingerprints_read_one_index_and_no_payload(path: Path) -> None:
    with SqliteStore(path) as store:
        store.upsert(map(pull, range(1, 101)))
        assert store.repositories()[0].pulls == 100
        with closing(sqlite3.connect(path)) as connection:
            for query, values in ((_SUMMARY, ()), (_FINGERPRINTS, ("o/r",))):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", values).fetchall()
                assert "COVERING INDEX pulls_by_event" in str(plan)
