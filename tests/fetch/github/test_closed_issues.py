"""Which of the issues that a pull closes are labelled as bugs, as GitHub tells it."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from fake_github.world import FakeRepository, World, load_sample, pull_like
from pullrisk.pulls import record
from pullrisk.pulls.lines import ChangedLines, Origin
from pullrisk.pulls.mongo import MongoStore
from pullrisk.pulls.outcomes import says_fix
from pullrisk.pulls.record import Pull
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.pulls.store import PullStore
from support.github import GitHub, expected, stored

KEDRO = "kedro-org/kedro"
KEY = "github:localhost:1000"
BEFORE = "2024-12-01T00:00:00Z"


@pytest.fixture(params=["sqlite", "mongo"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PullStore]:
    if request.param == "sqlite":
        with SqliteStore(tmp_path / "either.sqlite") as opened:
            yield opened
    else:
        with MongoStore(request.getfixturevalue("mongo_uri")) as mongo:
            yield mongo


def closing(world: World, *closes: str, pulls: int = 1, **labels: object) -> FakeRepository:
    """The repository o/r, each of whose pulls closes these issues, o/r#1 being a bug."""
    merged = {"created_at": BEFORE, "merged_at": BEFORE, "closed_at": BEFORE, "updated_at": BEFORE}
    of_each = [pull_like(number, closes=list(closes), **merged) for number in range(1, pulls + 1)]
    repository = world.add("o/r", of_each)
    repository.issues["o/r#1"] = ("kind/bug", "ready")
    return repository


def only(github: GitHub, number: int = 1) -> Pull:
    return stored(github.store, "o/r")[number]


def test_a_backfill_tells_which_closed_issues_are_bugs(github: GitHub, either: PullStore) -> None:
    repository = load_sample(github.world, KEDRO, first=120)
    github.store = either
    github.fetch(KEDRO)
    known = stored(either, KEDRO)
    assert known == expected(repository)
    assert {bool(pull.closed_bugs) for pull in known.values() if pull.closes} == {True, False}
    assert all(pull.closed_bugs == () for pull in known.values() if not pull.closes)


def test_an_incremental_fetch_reads_the_labels_anew(github: GitHub, either: PullStore) -> None:
    github.store = either
    repository = closing(github.world, "o/r#2")
    github.fetch("o/r")
    assert (only(github).closes, only(github).closed_bugs) == (("o/r#2",), ())
    repository.issues["o/r#2"] = ("good first issue", "type: bug")
    github.world.change(repository, 1)
    github.fetch("o/r")
    assert only(github).closed_bugs == ("o/r#2",)
    repository.issues["o/r#2"] = ("type: defective",)  # the label was renamed
    github.world.change(repository, 1)
    github.fetch("o/r")
    assert only(github).closed_bugs == ()


def test_an_issue_of_another_repository_counts_too(github: GitHub) -> None:
    closing(github.world, "o/tracker#9").issues["o/tracker#9"] = ("bug",)
    github.fetch("o/r")
    assert only(github).closed_bugs == ("o/tracker#9",)
    assert says_fix(only(github))


def test_what_the_token_may_not_see_is_unknown_unless_another_issue_is_a_bug(
    github: GitHub,
) -> None:
    repository = closing(github.world, "o/secret#5", "o/r#2")
    repository.issues["o/secret#5"] = None
    repository.pulls[2] = pull_like(2, closes=["o/secret#5", "o/r#1"], created_at=BEFORE)
    github.fetch("o/r")
    assert only(github).closes == ("o/r#2",)
    assert only(github).closed_bugs is None
    assert not says_fix(only(github))
    assert only(github, 2).closed_bugs == ("o/r#1",)


@pytest.mark.parametrize(
    ("issues", "bug", "bugs"),
    [
        (3, 3, ("o/r#1",)),
        (3, 0, ()),
        (4, 4, None),
        (4, 0, None),
        (60, 1, ("o/r#1",)),
        (60, 9, None),
    ],
)
def test_labels_are_known_of_the_first_three_issues(
    github: GitHub, issues: int, bug: int, bugs: tuple[str, ...] | None
) -> None:
    names = ["o/r#1" if each == bug else f"o/r#{each + 100}" for each in range(1, issues + 1)]
    closing(github.world, *names)
    github.fetch("o/r")
    assert only(github).closes == tuple(names[:50])
    assert only(github).closed_bugs == bugs


def test_labels_of_issues_cost_no_further_request(github: GitHub) -> None:
    closing(github.world, "o/r#1", "o/r#2", pulls=30)
    github.fetch("o/r")
    assert dict(github.app.requests) == {"Repository": 1, "Pulls": 3}


def test_a_pull_whose_issues_are_missing_knows_no_bugs(github: GitHub) -> None:
    closing(github.world, "o/r#1")
    github.misbehave(forbidden=frozenset({"closingIssuesReferences", "labelledIssues"}))
    github.fetch("o/r")
    assert (only(github).closes, only(github).closed_bugs) == ((), None)


def test_a_home_of_an_earlier_version_opens_and_learns_what_is_closed(
    github: GitHub, store: SqliteStore
) -> None:
    closing(github.world, "o/r#1")
    github.fetch("o/r")
    saved = store.checkpoint(KEY)
    assert saved is not None
    lines = ChangedLines(rewrites=(Origin(5, 2),), code_removed=2)
    known = msgspec.structs.replace(only(github), lines=lines, merge_sha="1" * 40)
    earlier = msgspec.msgpack.decode(record.encode(known))[:-1]
    with store._writing() as connection:
        payload = (msgspec.msgpack.encode(earlier),)
        connection.execute("UPDATE pulls SET payload = ?", payload)
    store.upsert([], checkpoint=(KEY, {**saved, "reader": 1}))
    assert only(github).closed_bugs is None
    github.fetch("o/r")
    assert only(github).closed_bugs == ("o/r#1",)


def test_lines_of_a_clone_and_closed_bugs_of_github_meet_in_one_record(
    github: GitHub, either: PullStore
) -> None:
    github.store = either
    repository = closing(github.world, "o/r#1")
    repository.pulls[1]["merge_commit_sha"] = "1" * 40
    github.fetch("o/r")
    from_github = only(github)
    lines = ChangedLines(rewrites=(Origin(5, 2),), code_removed=2)
    clone = msgspec.structs.replace(from_github, closes=(), closed_bugs=None, lines=lines)
    either.upsert([clone])
    assert only(github) == msgspec.structs.replace(from_github, lines=lines)
    either.upsert([msgspec.structs.replace(clone, lines=None)])
    assert only(github) == msgspec.structs.replace(from_github, lines=lines)
    either.upsert([from_github])
    assert only(github) == msgspec.structs.replace(from_github, lines=lines)
