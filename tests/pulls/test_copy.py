"""Copying between stores of every kind: whole, idempotent, going on after it was stopped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import msgspec
import pytest

from pullrisk.errors import InputError, StoreError
from pullrisk.progress import Task
from pullrisk.pulls.copy import copy_store
from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.record import ChangedFile, Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore, Written

DAY = datetime(2024, 1, 1, tzinfo=UTC)
KINDS = ("sqlite", "mongo")

Stores = tuple[PullStore, PullStore]


def pull(number: int, repository: str = "o/r", **fields: object) -> Pull:
    at = DAY + timedelta(hours=number)
    known: dict[str, object] = {
        "repository": repository,
        "number": number,
        "created_at": at,
        "updated_at": at,
        "merged_at": at if number % 3 == 0 else None,
        "closed_at": at if number % 3 else None,
        "files": (ChangedFile("src/a.py"),),
    }
    return Pull(**(known | fields))  # type: ignore[arg-type]


def still_open(number: int) -> Pull:
    return pull(number, merged_at=None, closed_at=None)


def content(store: PullStore) -> dict[str, list[Pull]]:
    return {one.repository: list(store.pulls(one.repository)) for one in store.repositories()}


def own(store: PullStore) -> dict[str, dict[str, object]]:
    """Checkpoints but for those of copying."""
    return {k: v for k, v in store.checkpoints().items() if not k.startswith("copy:")}


def fill(store: PullStore, count: int) -> None:
    """So many pulls of two repositories, and two checkpoints."""
    store.upsert(pull(n) for n in range(1, count - 8))
    store.upsert([still_open(3_000)], checkpoint=("fetch:o/r", {"cursor": "x"}))
    store.upsert([pull(n, "a/b") for n in range(1, 9)], checkpoint=("fetch:a/b", {"page": [1, 2]}))


class Stopping:
    """A Progress that raises after so many pulls, as Ctrl-C would."""

    def __init__(self, after: int) -> None:
        self.left = after

    @contextmanager
    def task(self, description: str, *, total: float | None, unit: str) -> Iterator[Task]:
        yield self

    def advance(self, amount: float = 1) -> None:
        self.left -= int(amount)
        if self.left <= 0:
            raise KeyboardInterrupt

    def describe(self, description: str) -> None:
        pass


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], PullStore]:
    def make(kind: str, name: str) -> PullStore:
        if kind == "sqlite":
            return SqliteStore(tmp_path / name)
        uri: str = request.getfixturevalue("mongo_uri")
        return MongoStore(f"{uri.partition('?')[0]}_{name}?{uri.partition('?')[2]}")

    return make


@pytest.fixture(params=product(KINDS, KINDS), ids="-to-".join)
def empty(
    request: pytest.FixtureRequest, make: Callable[[str, str], PullStore]
) -> Iterator[Stores]:
    with make(request.param[0], "source") as source, make(request.param[1], "target") as target:
        yield source, target


@pytest.fixture
def stores(empty: Stores) -> Stores:
    """Of more pulls than are read or written at a time."""
    fill(empty[0], 1_408)
    return empty


@pytest.fixture
def small_stores(empty: Stores) -> Stores:
    fill(empty[0], 48)
    return empty


def test_every_pull_and_checkpoint_arrives(stores: Stores) -> None:
    source, target = stores
    report = copy_store(source, target, name="s")
    assert (report.repositories, report.pulls, report.checkpoints) == (2, 1_408, 2)
    assert report.written == Written(inserted=1_408)
    assert content(target) == content(source)
    assert own(target) == own(source)
    assert target.repositories() == source.repositories()


def test_copying_again_writes_only_what_changed(small_stores: Stores) -> None:
    source, target = small_stores
    copy_store(source, target, name="s")
    # The second kind of change leaves the time of the last update alone.
    source.upsert([pull(3_000, updated_at=DAY + timedelta(days=900)), pull(7, labels=("bug",))])
    report = copy_store(source, target, name="s")
    assert report.written == Written(updated=2, unchanged=46)
    assert report.whole == 0
    assert content(target) == content(source)


def test_a_newer_pull_of_the_target_and_its_other_repositories_stay(small_stores: Stores) -> None:
    source, target = small_stores
    newer = pull(3, updated_at=DAY + timedelta(days=900), title="Newer")
    target.upsert([newer, pull(1, "z/z")], checkpoint=("theirs", {"a": 1}))
    copy_store(source, target, name="s")
    assert target.get("o/r", 3) == newer
    assert target.get("z/z", 1) == pull(1, "z/z")
    assert target.checkpoint("theirs") == {"a": 1}
    assert target.checkpoint("fetch:a/b") == {"page": [1, 2]}


def test_a_stopped_copy_goes_on_and_ends_as_an_undisturbed_one(stores: Stores) -> None:
    source, target = stores
    with pytest.raises(KeyboardInterrupt):
        copy_store(source, target, name="s", progress=Stopping(after=1_000))
    assert own(target) == {}, "a checkpoint would say that all pulls before it are there"
    assert 0 < sum(len(pulls) for pulls in content(target).values()) < 1_408
    report = copy_store(source, target, name="s")
    assert report.whole == 1
    assert report.written.inserted + report.written.unchanged == 1_400
    assert report.written.unchanged >= 1_000
    assert content(target) == content(source)
    assert own(target) == own(source)
    assert copy_store(source, target, name="s").whole == 0


def test_an_empty_source_is_an_error_that_shows_no_password(tmp_path: Path) -> None:
    with (
        SqliteStore(tmp_path / "a") as source,
        SqliteStore(tmp_path / "b") as target,
        pytest.raises(InputError, match=r"mongodb://\*\*\*@h/db holds no pull requests"),
    ):
        copy_store(source, target, name="mongodb://ann:secret@h/db")
    assert not (tmp_path / "b").exists()


def test_a_target_that_lost_pulls_is_no_success(tmp_path: Path) -> None:
    class Forgetful(SqliteStore):
        def upsert(self, pulls, *, checkpoint=None):  # type: ignore[no-untyped-def]
            return super().upsert((one for one in pulls if one.number != 5), checkpoint=checkpoint)

    with SqliteStore(tmp_path / "a") as source, Forgetful(tmp_path / "b") as target:
        source.upsert([pull(n) for n in range(1, 9)])
        with pytest.raises(StoreError, match="8 pull requests and pushes in the source and 7 in"):
            copy_store(source, target, name="s")
        assert msgspec.json.encode(target.checkpoints()) == b'{"copy:s":{"unfinished":true}}'
