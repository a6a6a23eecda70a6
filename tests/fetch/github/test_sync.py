"""What ends up in the store, whatever changes meanwhile."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from fake_github.world import FakeRepository, World, load_sample, pull_like
from pullrisk.fetch.github.sync import OVERLAP
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import Written
from support.github import NOW, GitHub, expected, stored

KEDRO = "kedro-org/kedro"
KEY = "github:localhost:1000"


def small(world: World, pulls: int, name: str = "o/r") -> FakeRepository:
    """A repository with one pull a minute, the last a day ago."""
    first = NOW - 86_400 - pulls * 60
    moments = [datetime.fromtimestamp(first + 60 * each, UTC) for each in range(pulls)]
    return world.add(
        name,
        [
            pull_like(number, created_at=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))
            for number, moment in enumerate(moments, 1)
        ],
    )


def at_request(github: GitHub, count: int, act: Callable[[], object]) -> None:
    """Let something happen just before the request that `count` others preceded."""
    before = github.app.requests.total()

    def watch(requests: int) -> None:
        if requests - before == count:
            act()

    github.app.on_request = watch


def test_a_backfill_stores_every_field_of_every_pull(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=700)
    report = github.fetch(KEDRO)
    assert stored(github.store, KEDRO) == expected(repository)
    assert (report.read, report.written) == (700, Written(inserted=700))
    assert not report.failed


def test_more_than_a_hundred_files_and_reviews_are_paged_alone(github: GitHub) -> None:
    repository = load_sample(github.world, KEDRO, first=400)
    whole = expected(repository)
    assert max(len(pull.files or ()) for pull in whole.values()) > 200
    assert max(len(pull.reviews or ()) for pull in whole.values()) == 130
    github.fetch(KEDRO)
    assert stored(github.store, KEDRO) == whole
    assert github.app.requests["Files"] > 2
    assert github.app.requests["Reviews"] == 1


def test_a_fetch_right_after_another_asks_one_question(github: GitHub) -> None:
    small(github.world, 60)
    github.fetch("o/r")
    github.app.requests.clear()
    assert github.fetch("o/r").read == 0
    assert dict(github.app.requests) == {"Repositories": 1}


def test_an_incremental_fetch_reads_what_changed_and_the_overlap(github: GitHub) -> None:
    repository = small(github.world, 300)
    github.fetch("o/r")
    github.world.clock = NOW + 86_400
    github.world.change(repository, 7, title="new title", merged_at="2025-01-02T12:00:00Z")
    github.world.open_pull(repository)
    github.app.requests.clear()
    report = github.fetch("o/r")
    assert report.written == Written(inserted=1, updated=1)
    assert dict(github.app.requests) == {"Repositories": 1, "Pulls": 1}
    assert stored(github.store, "o/r") == expected(repository)


def test_the_watermark_is_the_time_the_scan_started(github: GitHub, store: SqliteStore) -> None:
    small(github.world, 90)

    def hours_pass() -> None:
        github.world.clock = NOW + 7_200

    at_request(github, 2, hours_pass)
    github.fetch("o/r")
    saved = store.checkpoint(KEY)
    assert saved is not None
    # The backfill started at NOW; the scan after it two hours later, less what its call took.
    assert datetime.fromisoformat(str(saved["watermark"])).timestamp() >= NOW + 7_100
    assert saved["phase"] == "rest"


def test_a_pull_that_changes_during_the_backfill_is_read_again(github: GitHub) -> None:
    repository = small(github.world, 120)

    def change() -> None:
        github.world.clock = NOW + 60
        github.world.change(repository, 3, title="changed behind the reader")
        github.world.change(repository, 119, title="changed before the reader")
        github.world.open_pull(repository)

    at_request(github, 3, change)
    github.fetch("o/r")
    assert stored(github.store, "o/r") == expected(repository)


def test_a_pull_that_jumps_to_the_top_during_a_scan_is_found_by_the_next(github: GitHub) -> None:
    repository = small(github.world, 200)
    github.fetch("o/r")
    github.world.clock = NOW + 86_400
    for number in range(1, 120):
        github.world.change(repository, number, title=f"second {number}")

    def jump() -> None:
        github.world.clock = NOW + 86_500
        github.world.change(repository, 1, title="third")

    at_request(github, 3, jump)
    github.fetch("o/r")
    github.app.on_request = lambda count: None
    assert stored(github.store, "o/r") != expected(repository)
    github.world.clock = NOW + 90_000
    github.fetch("o/r")
    assert stored(github.store, "o/r") == expected(repository)


@pytest.mark.parametrize("late", [1, int(OVERLAP.total_seconds()) - 2])
def test_an_update_that_a_replica_shows_late_is_still_found(github: GitHub, late: int) -> None:
    repository = small(github.world, 40)
    github.fetch("o/r")
    github.world.clock = NOW + 3_600
    github.world.change(repository, 2, title="in time")
    github.fetch("o/r")
    github.world.change(repository, 1, title="late", late=late)
    github.world.clock = NOW + 3_700
    github.fetch("o/r")
    assert stored(github.store, "o/r") == expected(repository)


def test_an_interrupted_backfill_goes_on_behind_the_last_page(
    github: GitHub, store: SqliteStore
) -> None:
    repository = small(github.world, 300)
    github.misbehave(script=["", "", "", *["503"] * 6])
    report = github.fetch("o/r")
    assert len(report.failed) == 1
    done = len(stored(store, "o/r"))
    assert 0 < done < 300
    saved = store.checkpoint(KEY)
    assert saved is not None
    assert (saved["done"], saved.get("phase", "backfill")) == (done, "backfill")
    assert github.fetch("o/r").read == 300 - done
    assert stored(store, "o/r") == expected(repository)


def test_an_interrupted_scan_goes_on_and_another_follows_it(github: GitHub) -> None:
    repository = small(github.world, 300)
    github.fetch("o/r")
    github.world.clock = NOW + 86_400
    for number in range(1, 201):
        github.world.change(repository, number, title=f"second {number}")
    github.misbehave(script=["", "", "", *["503"] * 6])
    assert github.fetch("o/r").failed
    github.world.clock = NOW + 90_000
    github.world.change(repository, 250, title="while it was away")
    github.fetch("o/r")
    assert stored(github.store, "o/r") == expected(repository)


def test_a_cursor_that_is_not_understood_any_more_begins_the_pass_again(
    github: GitHub, store: SqliteStore
) -> None:
    repository = small(github.world, 100)
    github.misbehave(script=["", "", *["503"] * 6])
    github.fetch("o/r")
    saved = store.checkpoint(KEY)
    assert saved is not None
    store.upsert([], checkpoint=(KEY, {**saved, "cursor": "no cursor"}))
    assert not github.fetch("o/r").failed
    assert stored(store, "o/r") == expected(repository)


def test_an_older_readers_checkpoint_begins_the_backfill_again(
    github: GitHub, store: SqliteStore
) -> None:
    small(github.world, 30)
    github.fetch("o/r")
    saved = store.checkpoint(KEY)
    assert saved is not None
    store.upsert([], checkpoint=(KEY, {**saved, "reader": 0}))
    assert github.fetch("o/r").read >= 30


def test_a_version_with_fewer_files_never_replaces_the_same_with_more(github: GitHub) -> None:
    repository = small(github.world, 3)
    github.world.change(repository, 2, title="just now")
    github.fetch("o/r")
    whole = expected(repository)
    assert stored(github.store, "o/r") == whole
    github.misbehave(forbidden=frozenset({"files"}))
    github.world.clock = NOW + 60
    report = github.fetch("o/r")
    assert report.written == Written(unchanged=0)
    assert "files is missing" in report.repositories[0].notes[0]
    assert stored(github.store, "o/r") == whole


def test_a_page_asks_for_the_size_that_worked_last_time(github: GitHub, store: SqliteStore) -> None:
    small(github.world, 400)
    github.misbehave(too_large_above=20)
    github.fetch("o/r")
    saved = store.checkpoint(KEY)
    assert saved is not None
    paging = saved["paging"]
    assert isinstance(paging, dict)
    assert 10 <= paging["size"] <= 20
