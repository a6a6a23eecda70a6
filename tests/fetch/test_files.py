"""Reading pull requests from files."""

import gzip
import io
import json
import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pullrisk.errors import InputError
from pullrisk.fetch import objects
from pullrisk.fetch.files import BATCH_PULLS, fetch_files
from pullrisk.fetch.report import BadLine, FetchReport
from pullrisk.progress import Silent
from pullrisk.pulls.people import BotNames
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import Written
from support.kills import run_killed

DRIVER = """
import sys
from pathlib import Path
from pullrisk.fetch.files import fetch_files
from pullrisk.progress import Silent
from pullrisk.pulls.sqlite import SqliteStore
count_calls()
with SqliteStore(Path(sys.argv[1])) as store:
    fetch_files(sys.argv[2:], store, progress=Silent())
print_calls()
"""


def rest(number: int, **changes: object) -> dict[str, Any]:
    minute = f"2024-01-{1 + number // 1440 % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00Z"
    return {
        "number": number,
        "title": f"Change {number} é",
        "created_at": minute,
        "updated_at": minute,
        "merged_at": minute,
        "closed_at": minute,
        "base": {"repo": {"full_name": "o/r"}},
        **changes,
    }


def jsonl(count: int, first: int = 1) -> bytes:
    return b"".join(
        json.dumps(rest(number)).encode() + b"\n" for number in range(first, first + count)
    )


def numbers(store: SqliteStore) -> list[int]:
    return sorted(store.fingerprints("o/r"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "home" / "pulls.sqlite") as opened:
        yield opened


def fetch(store: SqliteStore, *paths: Path | str, **options: Any) -> FetchReport:
    return fetch_files(paths, store, progress=Silent(), **options)


def test_a_file_whose_name_is_no_text_is_read_and_continued(
    store: SqliteStore, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"a\xff.jsonl")
    path.write_bytes(jsonl(3))
    assert fetch(store, path).read == 3
    assert fetch(store, path).resumed == 3


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "wrong-suffix.txt"])
@pytest.mark.parametrize("compressed", [True, False])
def test_plain_and_gzipped_files_are_read_whatever_their_name(
    store: SqliteStore, tmp_path: Path, name: str, compressed: bool
) -> None:
    content = jsonl(4_321)
    (tmp_path / name).write_bytes(gzip.compress(content) if compressed else content)
    report = fetch(store, tmp_path / name)
    assert report == FetchReport(read=4_321, written=Written(inserted=4_321))
    assert numbers(store) == list(range(1, 4_322))
    pull = store.get("o/r", 77)
    assert pull is not None
    assert pull.title == "Change 77 é"


def test_several_files_add_up_and_are_read_once(store: SqliteStore, tmp_path: Path) -> None:
    a, b = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    a.write_bytes(jsonl(10))
    b.write_bytes(gzip.compress(jsonl(5, first=8)))
    report = fetch(store, a, b, a)
    assert report.read == 15
    assert report.written == Written(inserted=12, unchanged=3)
    assert report.resumed == 10
    assert fetch(store, a, b) == FetchReport(resumed=15)


def test_a_changed_file_is_read_anew(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(10))
    fetch(store, path)
    path.write_bytes(jsonl(10, first=11))
    os.utime(path, ns=(1, 1))
    assert fetch(store, path).written == Written(inserted=10)


def test_blank_lines_bom_crlf_and_a_missing_last_newline_are_harmless(
    store: SqliteStore, tmp_path: Path
) -> None:
    content = b"\xef\xbb\xbf" + jsonl(3).replace(b"\n", b"\r\n\r\n \n").rstrip()
    (tmp_path / "a.jsonl").write_bytes(content)
    assert fetch(store, tmp_path / "a.jsonl").read == 3


@pytest.mark.parametrize("content", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_an_empty_file_holds_no_pulls(store: SqliteStore, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    assert fetch(store, tmp_path / "a.jsonl").read == 0
    assert store.repositories() == []


def test_concatenated_and_padded_gzip_members_are_one_file(
    store: SqliteStore, tmp_path: Path
) -> None:
    first, second = jsonl(100), jsonl(100, first=101)
    cut = len(first) // 2
    members = [first[:cut], b"", first[cut:] + second]
    content = b"".join(map(gzip.compress, members)) + b"\x00" * 512
    (tmp_path / "a.gz").write_bytes(content)
    assert fetch(store, tmp_path / "a.gz").read == 200


def test_standard_input_and_pipes_are_read_without_checkpoints(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(jsonl(5)))))
    assert fetch(store, "-").written == Written(inserted=5)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(jsonl(3_000),))
    writer.start()
    assert fetch(store, tmp_path / "pipe").written == Written(inserted=2_995, unchanged=5)
    writer.join()


def test_a_malformed_line_stops_after_all_before_it_is_written(
    store: SqliteStore, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl"
    bad = json.dumps(rest(9, additions="many")).encode() + b"\n"
    path.write_bytes(jsonl(BATCH_PULLS + 5) + bad + jsonl(5, first=9_000))
    with pytest.raises(InputError, match=rf"a\.jsonl, line {BATCH_PULLS + 6}: .*\$\.additions"):
        fetch(store, path)
    assert numbers(store) == list(range(1, BATCH_PULLS + 6))
    with pytest.raises(InputError, match=f"line {BATCH_PULLS + 6}"):
        fetch(store, path)


def test_malformed_lines_can_be_skipped_and_are_listed(store: SqliteStore, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(2) + b"{oops\n" * 150 + jsonl(2, first=3))
    report = fetch(store, path, skip=True)
    assert (report.read, report.bad, len(report.bad_lines)) == (4, 150, 100)
    first = report.bad_lines[0]
    assert (first.source, first.line) == (str(path), 3)
    assert isinstance(first, BadLine)
    assert "JSON is malformed" in first.reason
    assert numbers(store) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b"PK\x03\x04\x00\x00\x00", "binary file", "JSON"),
        (gzip.compress(b"\x00\x01", mtime=0), "binary file", "JSON"),
        (b"\xff\xd8 no text\n", "line 1: .*malformed", "--skip-bad-lines"),
        (b"[1]", "line 1: Expected `object`", "--skip-bad-lines"),
        (json.dumps([rest(1)]).encode()[:-1], "cut short: an array is not closed", "again"),
        (b'{"number": 1}', "line 1: .*created_at", "--skip-bad-lines"),
        (b'{"number": 1}', "line 1: .*created_at", "gh pr list --json number,title"),
        (b'{"number": 1, "isDraft": false}', "line 1: .*`createdAt`", "createdAt,updatedAt"),
    ],
)
def test_a_file_of_another_kind_is_explained(
    store: SqliteStore, tmp_path: Path, content: bytes, message: str, hint: str
) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        fetch(store, tmp_path / "a.jsonl")
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def test_a_truncated_gzip_gives_every_whole_line_and_names_the_last(
    store: SqliteStore, tmp_path: Path
) -> None:
    path = tmp_path / "a.jsonl.gz"
    whole = jsonl(5_000)
    compressed = gzip.compress(whole)
    for size in (len(compressed) // 2, len(compressed) - 4):
        path.write_bytes(compressed[:size])
        with pytest.raises(InputError, match=r"a\.jsonl\.gz: the gzip is cut short") as caught:
            fetch(store, path)
        stored = numbers(store)
        assert f"after line {len(stored)}" in str(caught.value)
        assert stored == list(range(1, len(stored) + 1))
    assert len(stored) == 5_000
    path.write_bytes(compressed)
    assert fetch(store, path).written.inserted == 0


def test_a_damaged_gzip_keeps_the_lines_before_the_damage(
    store: SqliteStore, tmp_path: Path
) -> None:
    compressed = bytearray(gzip.compress(jsonl(50_000)))
    compressed[len(compressed) // 2 :] = random.Random(1).randbytes(5_000)
    (tmp_path / "a.gz").write_bytes(compressed)
    with pytest.raises(InputError, match=r"a\.gz"):
        fetch(store, tmp_path / "a.gz")
    assert len(numbers(store)) > 10_000


def test_an_endless_object_is_refused_after_what_stands_before_it(
    store: SqliteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "MAX_OBJECT", 2**20)
    path = tmp_path / "a.jsonl"
    path.write_bytes(jsonl(7) + b'{"x": "' + b"x" * 2**21 + b"\n" + jsonl(1, first=8))
    with pytest.raises(InputError, match="longer than 1,048,576 bytes, after line 7"):
        fetch(store, path)
    assert numbers(store) == list(range(1, 8))


def test_a_line_of_one_megabyte_is_read(store: SqliteStore, tmp_path: Path) -> None:
    files = [{"filename": f"{'d' * 400}/{i}"} for i in range(3_000)]
    (tmp_path / "a.jsonl").write_text(json.dumps(rest(1, files=files)) + "\n")
    assert fetch(store, tmp_path / "a.jsonl").read == 1
    assert store.repositories()[0].files == 3_000


def test_all_paths_are_checked_before_anything_is_read(store: SqliteStore, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(jsonl(1))
    with pytest.raises(InputError, match=r"missing\.jsonl: cannot be read: No such file"):
        fetch(store, tmp_path / "a.jsonl", tmp_path / "missing.jsonl")
    with pytest.raises(InputError, match="is a folder") as caught:
        fetch(store, tmp_path / "a.jsonl", tmp_path)
    assert "name its files" in str(caught.value)
    assert store.repositories() == []


def test_objects_without_a_repository_take_the_one_given(
    store: SqliteStore, tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(rest(1, base=None)))
    with pytest.raises(InputError, match="owner/name"):
        fetch(store, tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="'x' is no repository name"):
        fetch(store, tmp_path / "a.jsonl", repository="x")
    fetch(store, tmp_path / "a.jsonl", repository="x/y")
    assert store.get("x/y", 1) is not None


def test_progress_counts_every_compressed_byte_and_tells_the_rate(
    store: SqliteStore, tmp_path: Path
) -> None:
    told = Told()
    (tmp_path / "a.gz").write_bytes(gzip.compress(jsonl(5_000)))
    (tmp_path / "b").write_bytes(jsonl(10))
    fetch_files([tmp_path / "a.gz", tmp_path / "b"], store, progress=told)
    size = (tmp_path / "a.gz").stat().st_size + (tmp_path / "b").stat().st_size
    assert (told.total, told.done, told.unit) == (size, size, "bytes")
    assert "pulls/s" in told.descriptions[-1]


class Told:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.total: float | None = None
        self.unit = ""
        self.done = 0.0
        self.descriptions: list[str] = []

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> "Iterator[Told]":
        self.total, self.unit = total, unit
        yield self

    def advance(self, amount: float = 1) -> None:
        self.done += amount

    def describe(self, description: str) -> None:
        self.descriptions.append(description)


def test_a_run_killed_at_any_moment_and_repeated_ends_as_if_undisturbed(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl.gz"
    source.write_bytes(gzip.compress(jsonl(30_000), 1))
    with SqliteStore(tmp_path / "whole.sqlite") as whole:
        fetch(whole, source)
        expected = list(whole.events("o/r")), whole.checkpoint(f"file:{source.resolve()}")
    killed, moment, kills = tmp_path / "killed.sqlite", random.Random(7), 0
    calls = run_killed(DRIVER, tmp_path / "calm.sqlite", source) or 0
    while run_killed(DRIVER, killed, source, after=moment.randrange(1, calls // 3)) is None:
        kills += 1
    assert kills > 3
    with SqliteStore(killed) as store:
        fetch(store, source)
        again = list(store.events("o/r")), store.checkpoint(f"file:{source.resolve()}")
    assert again == expected


def test_settings_name_bots_and_persons(store: SqliteStore, tmp_path: Path) -> None:
    pulls = [
        rest(number, user={"login": name}) for number, name in ((1, "Release-Team"), (2, "x-bot"))
    ]
    (tmp_path / "a").write_text("\n".join(map(json.dumps, pulls)))
    names = BotNames.of(["release-team "], ["X-Bot"])
    fetch(store, tmp_path / "a", names=names)
    assert [pull.bot for pull in store.pulls("o/r")] == [True, False]
