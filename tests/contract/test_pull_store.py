"""What every pull store must do; a new adapter adds itself to STORES."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from pullrisk.errors import StoreError
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.record import ChangedFile, Pull, Review, fingerprint, push_number
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore, Written

STORES = ("sqlite", "mongo")
DAY = datetime(2024, 2, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=STORES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], PullStore]:
    """Opens the same store, again at each call."""
    if request.param == "sqlite":
        return lambda: SqliteStore(tmp_path / "new" / "pulls.sqlite")
    uri: str = request.getfixturevalue("mongo_uri")
    return lambda: MongoStore(uri)


@pytest.fixture
def store(reopen: Callable[[], PullStore]) -> Iterator[PullStore]:
    with reopen() as opened:
        yield opened


def merged(number: int, *, hours: float | None = None, repository: str = "o/r") -> Pull:
    """A merged pull; `hours` (its number, unless given) after DAY."""
    at = DAY + HOUR * (number if hours is None else hours)
    return Pull(
        repository=repository,
        number=number,
        created_at=at - HOUR,
        updated_at=at,
        merged_at=at,
        closed_at=at,
        title=f"Change {number}",
        author="ann",
        files=(ChangedFile("src/a.py", "modified", 3, 1),),
    )


def still_open(number: int) -> Pull:
    return msgspec.structs.replace(merged(number), merged_at=None, closed_at=None)


def unmerged(number: int) -> Pull:
    return msgspec.structs.replace(merged(number), merged_at=None)


def push(sha: str, *, hours: float) -> Pull:
    return msgspec.structs.replace(merged(push_number(sha), hours=hours), merge_sha=sha)


def events(store: PullStore, repository: str = "o/r") -> list[int]:
    return [pull.number for pull in store.events(repository)]


def test_an_empty_store_answers_every_question(store: PullStore) -> None:
    assert store.get("o/r", 1) is None
    assert store.repositories() == []
    assert store.fingerprints("o/r") == {}
    assert events(store) == []
    assert store.recent() == []
    assert store.checkpoint("c") is None


def test_a_pull_comes_back_equal_in_every_field(store: PullStore) -> None:
    pull = Pull(
        repository="o/r",
        number=2**53 - 1,
        created_at=datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC),
        updated_at=datetime(2024, 1, 1, 0, 0, 0, 999999, tzinfo=UTC),
        closed_at=datetime(2024, 1, 1, tzinfo=UTC),
        title="Ünïcode 🦀 \x00 \u202e title",
        body="日本語\n" * 1000,
        author=None,
        author_association="SOMETHING_NEW",
        bot=True,
        draft=True,
        head_ref="h",
        head_sha="0" * 40,
        head_repository="f/r",
        base_ref="main",
        merge_sha="1" * 40,
        labels=("a", "b"),
        assignees=("x",),
        reviewers=("y", "z"),
        commits=0,
        additions=1,
        deletions=None,
        changed_files=7,
        reviews=(
            Review("z", "approved", DAY + timedelta(microseconds=7)),
            Review(None, "commented"),
        ),
        review_decision="approved",
        checks="success",
        closes=("o/r#1", "p/q#2"),
        closed_bugs=("p/q#2",),
        own_commits=("0123abcd", "ffffffff"),
        repository_names=("new/name",),
        files=(ChangedFile('a "b"\n\tc.py', "renamed", None, 0, "old\n.py"), ChangedFile("é")),
        repository_id=9,
    )
    store.upsert([pull])
    assert store.get("o/r", 2**53 - 1) == pull
    assert list(store.events("o/r")) == [pull]


@pytest.mark.parametrize("count", [None, 0, 3_000])
def test_a_pull_keeps_its_files_none_no_or_three_thousand(
    store: PullStore, count: int | None
) -> None:
    files = None if count is None else tuple(ChangedFile(f"d/{i}.py") for i in range(count))
    store.upsert([msgspec.structs.replace(merged(1), files=files)])
    pull = store.get("o/r", 1)
    assert pull is not None
    assert pull.files == files
    assert store.repositories()[0].files == (count or 0)


def test_writing_the_same_pulls_again_changes_nothing(store: PullStore) -> None:
    pulls = [merged(1), merged(2), still_open(3)]
    assert store.upsert(pulls) == Written(inserted=3)
    before = list(store.recent())
    assert store.upsert(pulls) == Written(unchanged=3)
    assert store.recent() == before


def test_a_later_update_replaces_and_a_stale_one_is_ignored(store: PullStore) -> None:
    old, new = still_open(1), msgspec.structs.replace(merged(1), updated_at=DAY + 9 * HOUR)
    assert store.upsert([old]) == Written(inserted=1)
    assert store.upsert([new]) == Written(updated=1)
    assert store.upsert([old]) == Written(unchanged=1)
    assert store.get("o/r", 1) == new
    assert events(store) == [1]


def test_at_the_same_update_time_the_one_written_last_stays(store: PullStore) -> None:
    first, second = merged(1), msgspec.structs.replace(merged(1), title="Another")
    store.upsert([first])
    assert store.upsert([second]) == Written(updated=1)
    assert store.get("o/r", 1) == second
    assert store.fingerprints("o/r") == {1: fingerprint(second)}


def test_one_batch_may_hold_several_versions_of_a_pull(store: PullStore) -> None:
    new = msgspec.structs.replace(merged(1), updated_at=DAY + 9 * HOUR, title="New")
    written = store.upsert([still_open(1), new, still_open(1)])
    assert (written.inserted, written.updated, written.unchanged) == (1, 1, 1)
    assert store.get("o/r", 1) == new


def test_a_microsecond_decides_which_update_is_later(store: PullStore) -> None:
    late = datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC)
    pull = msgspec.structs.replace(merged(1), updated_at=late)
    store.upsert([pull])
    tick = timedelta(microseconds=1)
    assert store.upsert([msgspec.structs.replace(pull, updated_at=late - tick)]).updated == 0
    assert store.upsert([msgspec.structs.replace(pull, updated_at=late + tick)]).updated == 1


def test_events_come_by_time_then_number_whatever_the_order_of_arrival(store: PullStore) -> None:
    store.upsert([merged(9, hours=1), merged(2, hours=5)])
    store.upsert([merged(10, hours=5), unmerged(4), merged(1, hours=5), merged(3, hours=0.5)])
    assert events(store) == [3, 9, 4, 1, 2, 10]


def test_open_pulls_are_no_events_and_have_no_fingerprint(store: PullStore) -> None:
    store.upsert([still_open(1), unmerged(2), merged(3)])
    assert events(store) == [2, 3]
    assert store.fingerprints("o/r") == {
        2: fingerprint(unmerged(2)),
        3: fingerprint(merged(3)),
    }


def test_a_reopened_pull_is_no_event_any_more(store: PullStore) -> None:
    store.upsert([unmerged(1)])
    store.upsert([msgspec.structs.replace(still_open(1), updated_at=DAY + 9 * HOUR)])
    assert events(store) == []
    assert store.repositories()[0].last_event_at is None


def test_events_can_be_restricted_to_some_numbers(store: PullStore) -> None:
    store.upsert([*map(merged, range(1, 3_001)), still_open(4_000)])
    wanted = [4_000, 5_000, *range(3_000, 0, -2)]
    found = [pull.number for pull in store.events("o/r", numbers=wanted)]
    assert found == list(range(2, 3_001, 2))
    assert list(store.events("o/r", numbers=[])) == []


def test_repositories_are_kept_apart_and_summarised_by_name(store: PullStore) -> None:
    store.upsert([merged(7, repository="z/z"), merged(7), unmerged(8), still_open(9)])
    store.upsert([msgspec.structs.replace(still_open(1), repository="b/b")])
    only_open, mixed, other = store.repositories()
    assert (only_open.repository, only_open.pulls, only_open.open) == ("b/b", 1, 1)
    assert (only_open.first_event_at, only_open.last_event_at) == (None, None)
    assert (mixed.repository, other.repository) == ("o/r", "z/z")
    assert (mixed.pulls, mixed.merged, mixed.open, mixed.files) == (3, 1, 1, 3)
    assert (mixed.first_event_at, mixed.last_event_at) == (DAY + 7 * HOUR, DAY + 8 * HOUR)
    assert mixed.last_updated_at == DAY + 9 * HOUR
    assert events(store, "z/z") == [7]
    assert events(store, "no/such") == []


def test_direct_pushes_are_events_and_are_neither_listed_nor_counted(store: PullStore) -> None:
    pushes = [push("f" * 40, hours=2.5), push("0" * 40, hours=9)]
    store.upsert([merged(1), merged(2), still_open(3), merged(3), *pushes])
    numbers = [one.number for one in pushes]
    assert events(store) == [1, 2, numbers[0], 3, numbers[1]]
    assert list(store.events("o/r", numbers=numbers)) == pushes
    assert store.fingerprints("o/r").keys() == {1, 2, 3, *numbers}
    assert list(store.pushes("o/r")) == pushes
    assert [pull.number for pull in store.pulls("o/r")] == [1, 2, 3]
    assert [pull.number for pull in store.recent()] == [3, 2, 1]
    assert store.recent(state="merged") == store.recent(repository="o/r")
    summary = store.repositories()[0]
    assert (summary.pulls, summary.merged, summary.files, summary.pushes) == (3, 3, 3, 2)
    assert (summary.last_event_at, summary.last_updated_at) == (DAY + 3 * HOUR, DAY + 3 * HOUR)


def test_a_repository_of_direct_pushes_alone_is_no_repository_of_pulls(store: PullStore) -> None:
    store.upsert([push("a" * 40, hours=1)])
    assert store.repositories() == []
    assert store.recent() == []


def test_recent_pulls_come_newest_first_and_can_be_filtered(store: PullStore) -> None:
    other = merged(5, repository="a/a")
    store.upsert([merged(1), still_open(5), unmerged(3), merged(4), other])
    assert [(p.repository, p.number) for p in store.recent(limit=3)] == [
        ("a/a", 5),
        ("o/r", 5),
        ("o/r", 4),
    ]
    assert [p.number for p in store.recent(repository="o/r", state="merged")] == [4, 1]
    assert [p.number for p in store.recent(state="closed")] == [3]
    assert [p.number for p in store.recent(state="open")] == [5]
    assert store.recent(limit=0) == []


def test_checkpoints_are_kept_by_key_and_replaced(
    store: PullStore, reopen: Callable[[], PullStore]
) -> None:
    store.upsert([merged(1)], checkpoint=("a", {"page": 1, "cursor": "é", "done": None}))
    store.upsert([], checkpoint=("b", {}))
    store.upsert([], checkpoint=("a", {"page": 2}))
    with reopen() as again:
        assert again.checkpoint("a") == {"page": 2}
        assert again.checkpoint("b") == {}
        assert again.checkpoint("c") is None


def test_all_pulls_come_by_number_open_ones_too(store: PullStore) -> None:
    store.upsert([still_open(1_500), merged(2, hours=9), unmerged(3), merged(1, repository="a/a")])
    store.upsert(map(still_open, range(10, 1_400)))
    assert [pull.number for pull in store.pulls("o/r")] == [2, 3, *range(10, 1_400), 1_500]
    assert next(store.pulls("o/r")) == merged(2, hours=9)
    assert list(store.pulls("no/such")) == []


def test_all_checkpoints_are_listed(store: PullStore) -> None:
    assert store.checkpoints() == {}
    store.upsert([merged(1)], checkpoint=("b", {"page": [1, {"$x.y": None}]}))
    store.upsert([], checkpoint=("a", {}))
    assert list(store.checkpoints().items()) == [("a", {}), ("b", {"page": [1, {"$x.y": None}]})]


def test_a_label_given_without_an_update_is_written_though_the_event_is_the_same(
    store: PullStore,
) -> None:
    labelled = msgspec.structs.replace(merged(1), labels=("bug",))
    store.upsert([merged(1)])
    assert store.upsert([labelled]) == Written(updated=1)
    assert store.get("o/r", 1) == labelled


def test_when_the_source_raises_midway_the_checkpoint_stays_and_the_store_works(
    store: PullStore,
) -> None:
    store.upsert([merged(1)], checkpoint=("c", {"n": 1}))

    def source() -> Iterator[Pull]:
        yield from map(merged, range(2, 1_500))
        raise LookupError("the source broke")

    with pytest.raises(LookupError, match="the source broke"):
        store.upsert(source(), checkpoint=("c", {"n": 2}))
    assert store.checkpoint("c") == {"n": 1}
    assert store.get("o/r", 1) == merged(1)
    store.upsert(map(merged, range(1, 1_600)), checkpoint=("c", {"n": 3}))
    assert events(store) == list(range(1, 1_600))


def test_a_large_batch_from_a_generator_is_written_whole(store: PullStore) -> None:
    assert store.upsert(merged(n) for n in range(1, 4_501)) == Written(inserted=4_500)
    assert store.repositories()[0].pulls == 4_500
    assert len(store.fingerprints("o/r")) == 4_500


def test_reading_events_is_undisturbed_by_a_writer(
    store: PullStore, reopen: Callable[[], PullStore]
) -> None:
    store.upsert(map(merged, range(1, 3_001)))
    reading = store.events("o/r")
    start = [next(reading).number for _ in range(10)]
    with reopen() as writer:
        moved = [merged(n, hours=n + 5_000) for n in (5, 2_000, 3_000)]
        writer.upsert([*moved, *map(merged, range(3_001, 3_100))])
    rest = [pull.number for pull in reading]
    assert len(start + rest) == len(set(start + rest))
    assert set(start + rest) >= set(range(1, 3_001))


def test_threads_read_ordered_and_growing_events_while_one_writes(store: PullStore) -> None:
    failures: list[object] = []
    done = threading.Event()
    store.upsert(map(merged, range(1, 51)))

    def read() -> None:
        last = 0
        while not done.is_set():
            numbers = events(store)
            if numbers != sorted(set(numbers)) or len(numbers) < last:
                failures.append(numbers)
            last = len(numbers)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(51, 551, 50):
        store.upsert(map(merged, range(start, start + 50)))
    done.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert len(events(store)) == 550


def test_an_abandoned_reading_holds_nothing_up(store: PullStore) -> None:
    store.upsert(map(merged, range(1, 101)))
    reading = store.events("o/r")
    assert next(reading).number == 1
    del reading
    store.upsert([merged(101)])
    assert events(store) == list(range(1, 102))


def test_everything_is_there_after_reopening(
    store: PullStore, reopen: Callable[[], PullStore]
) -> None:
    store.upsert([merged(1), still_open(2)])
    store.close()
    store.close()
    with reopen() as again:
        assert again.get("o/r", 2) == still_open(2)
        assert events(again) == [1]


def test_a_closed_store_says_so(store: PullStore) -> None:
    store.upsert([merged(1)])
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.get("o/r", 1)
    with pytest.raises(StoreError, match="closed"):
        store.upsert([merged(1)])


@pytest.mark.parametrize("clone_first", [True, False])
def test_names_from_both_sources_of_a_pull_survive(store: PullStore, clone_first: bool) -> None:
    clone = msgspec.structs.replace(merged(1), author="author-0123456789ab")
    github = msgspec.structs.replace(
        merged(1), author="mara", updated_at=clone.updated_at + HOUR, labels=("x",)
    )
    for version in (clone, github) if clone_first else (github, clone):
        store.upsert([version])

    kept = store.get("o/r", 1)
    assert kept == msgspec.structs.replace(github, author_names=("email:0123456789ab",))
    assert store.upsert([github]).unchanged == store.upsert([clone]).unchanged == 1
    assert store.fingerprints("o/r") == {1: fingerprint(kept)}


@pytest.mark.parametrize("clone_first", [True, False])
def test_lines_that_a_clone_tells_survive_the_version_of_github(
    store: PullStore, clone_first: bool
) -> None:
    lines = ChangedLines(rewrites=(Origin(number=4, lines=3, file=1),), code_removed=3)
    counted = (ChangedFile("a.py", code_added=1), ChangedFile("b.py", code_removed=3))
    clone = msgspec.structs.replace(merged(1), merge_sha="ab" * 20, lines=lines, files=counted)
    github = msgspec.structs.replace(
        clone, updated_at=clone.updated_at + HOUR, lines=None,
        files=(ChangedFile("b.py", "added"), ChangedFile("new.py"), ChangedFile("a.py")),
    )  # fmt: skip
    for version in (clone, github) if clone_first else (github, clone):
        store.upsert([version])

    kept = store.get("o/r", 1)
    assert kept is not None
    assert kept.lines == msgspec.structs.replace(lines, rewrites=(Origin(4, 3, file=0),))
    assert kept.files == (
        ChangedFile("b.py", "added", code_removed=3),
        ChangedFile("new.py"),
        ChangedFile("a.py", code_added=1),
    )


def test_lines_of_another_merge_are_not_taken_over(store: PullStore) -> None:
    old = msgspec.structs.replace(merged(1), merge_sha="ab" * 20, lines=ChangedLines(code_added=3))
    new = msgspec.structs.replace(
        old, updated_at=old.updated_at + HOUR, merge_sha="cd" * 20, lines=None
    )
    store.upsert([old])
    store.upsert([new])
    assert store.get("o/r", 1) == new


def test_merges_are_the_numbers_of_pulls_and_pushes_by_their_commits(store: PullStore) -> None:
    pushed = push("ab" * 20, hours=2)
    one = msgspec.structs.replace(merged(1), merge_sha="cd" * 20)
    store.upsert([one, pushed, msgspec.structs.replace(merged(2), merge_sha=None), still_open(9)])
    assert store.merges("o/r") == {"ab" * 20: pushed.number, "cd" * 20: 1}
    assert store.merges("o/none") == {}


def test_events_since_a_moment_are_those_later_than_it(store: PullStore) -> None:
    store.upsert([merged(3), merged(1), push("ab" * 20, hours=2), still_open(9), unmerged(4)])
    store.upsert([merged(8, repository="o/other")])
    since = store.events_since("o/r", DAY + HOUR)
    assert [pull.number for pull in since] == [push_number("ab" * 20), 3, 4]
    assert since == list(store.events("o/r"))[1:]
    assert store.events_since("o/r", DAY + 4 * HOUR) == store.events_since("o/none", DAY) == []
