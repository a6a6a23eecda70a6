"""Repositories by name, organisation and search; renamed, transferred, deleted, hidden."""

import pytest

from fake_github.accounts import Account
from fake_github.world import World, pull_like
from pullrisk.errors import InputError
from pullrisk.pulls.sqlite import SqliteStore
from support.github import NOW, GitHub, expected, stored


def add(world: World, name: str, *, stars: int = 0, repository_id: int = 0) -> None:
    world.add(name, [pull_like(1), pull_like(2)], stars=stars, repository_id=repository_id)


def test_a_renamed_repository_is_followed_and_stays_under_its_first_name(github: GitHub) -> None:
    add(github.world, "old/name")
    repository = github.world.repositories[1_000]
    github.fetch("old/name")
    github.world.rename(repository, "new/name")
    github.world.clock = NOW + 3_600
    github.world.open_pull(repository)
    for name in ("old/name", "new/name"):
        report = github.fetch(name)
        assert not report.failed
        assert "stored under old/name" in report.repositories[0].notes[0]
    assert stored(github.store, "old/name") == expected(repository, stored_as="old/name")
    assert [each.repository for each in github.store.repositories()] == ["old/name"]


def test_an_old_name_is_followed_on_the_first_fetch_too(github: GitHub) -> None:
    add(github.world, "old/name")
    repository = github.world.repositories[1_000]
    github.world.rename(repository, "new/name")
    github.fetch("old/name")
    assert stored(github.store, "new/name") == expected(repository)
    github.app.requests.clear()
    github.fetch("OLD/name")
    assert set(github.app.requests) <= {"Repositories", "Repository"}


def test_a_rename_in_the_middle_of_a_backfill_disturbs_nothing(github: GitHub) -> None:
    pulls = [pull_like(number) for number in range(1, 121)]
    repository = github.world.add("old/name", pulls)

    def rename(requests: int) -> None:
        if requests == 3:
            github.world.rename(repository, "new/name")

    github.app.on_request = rename
    assert not github.fetch("old/name").failed
    assert stored(github.store, "old/name") == expected(repository, stored_as="old/name")


def test_another_repository_under_an_old_name_is_told_and_not_mixed_in(github: GitHub) -> None:
    add(github.world, "o/r")
    first = github.world.repositories[1_000]
    github.fetch("o/r")
    github.world.rename(first, "o/moved")
    github.world.add("o/r", [pull_like(each) for each in (1, 2, 3)], repository_id=2_000)
    github.world.clock = NOW + 3_600
    github.world.open_pull(first, title="in the first")
    report = github.fetch("o/r")
    assert "another repository (id 2000) is called o/r now" in report.repositories[0].notes
    assert stored(github.store, "o/r") == expected(first, stored_as="o/r")


def test_another_repository_under_the_name_of_a_deleted_one_is_refused(github: GitHub) -> None:
    add(github.world, "o/r")
    first = github.world.repositories[1_000]
    github.fetch("o/r")
    before = stored(github.store, "o/r")
    github.world.delete(first)
    github.world.add("o/r", [pull_like(3)], repository_id=2_000)
    report = github.fetch("o/r")
    assert "o/r was repository 1000, which is gone" in str(report.failed[0].error)
    assert stored(github.store, "o/r") == before


def test_a_deleted_repository_is_reported_the_others_go_on_and_its_pulls_stay(
    github: GitHub,
) -> None:
    add(github.world, "o/gone")
    add(github.world, "o/stays")
    github.fetch("o/gone", "o/stays")
    github.world.delete(github.world.repositories[1_000])
    github.world.clock = NOW + 3_600
    repository = github.world.repositories[1_001]
    github.world.open_pull(repository)
    report = github.fetch("o/gone", "o/stays")
    assert [each.repository for each in report.failed] == ["o/gone"]
    assert stored(github.store, "o/stays") == expected(repository)
    assert len(stored(github.store, "o/gone")) == 2


def test_a_repository_deleted_in_the_middle_of_its_backfill_is_reported(github: GitHub) -> None:
    pulls = [pull_like(number) for number in range(1, 121)]
    repository = github.world.add("o/r", pulls)

    def delete(requests: int) -> None:
        if requests == 3:
            github.world.delete(repository)

    github.app.on_request = delete
    error = github.fetch("o/r").failed[0].error
    assert error == "o/r: deleted, or no longer visible to the token; what is stored stays"
    assert 0 < len(stored(github.store, "o/r")) < 120


def test_a_private_repository_is_read_by_the_token_that_sees_it(github: GitHub) -> None:
    add(github.world, "o/secret")
    add(github.world, "o/open")
    github.world.repositories[1_000].private_to = frozenset({"insider"})
    github.accounts.tokens["insider"] = Account(limit=1_000)
    names = ("o/secret", "o/open")
    both = {"tokens": ("fake-token", "insider")}
    assert not github.fetch(*names, access=both).failed
    github.world.clock = NOW + 3_600
    github.world.open_pull(github.world.repositories[1_000])
    github.app.requests.clear()
    assert github.fetch(*names, access=both).written.inserted == 1
    assert github.app.requests["Repository"] == 0
    assert [each.repository for each in github.fetch(*names).failed] == ["o/secret"]


def test_an_organisation_gives_all_its_repositories_or_the_most_starred(github: GitHub) -> None:
    for number in range(105):
        add(github.world, f"big/r{number}", stars=number)
    add(github.world, "other/r")
    report = github.fetch(organisation="big", limit=2)
    assert [each.repository for each in report.repositories] == ["big/r104", "big/r103"]
    assert len(github.fetch(organisation="big").repositories) == 105
    assert len(github.store.repositories()) == 105


def test_a_search_gives_as_many_as_the_limit_and_none_twice(github: GitHub) -> None:
    for number in range(8):
        add(github.world, f"o/r{number}", stars=100 * number)
    report = github.fetch("o/R7", search="stars:>100", limit=3)
    assert [each.repository for each in report.repositories] == ["o/R7", "o/r6", "o/r5"]


def test_an_unknown_organisation_is_told(github: GitHub) -> None:
    with pytest.raises(InputError, match="organisation nobody: GitHub knows no such owner"):
        github.fetch(organisation="nobody")


def test_hundreds_of_quiet_repositories_cost_a_question_for_each_hundred(
    github: GitHub, store: SqliteStore
) -> None:
    names = [f"o/r{number}" for number in range(130)]
    for name in names:
        add(github.world, name)
    github.fetch(*names, concurrency=8)
    github.world.clock = NOW + 86_400
    github.world.change(github.world.repositories[1_007], 2, title="new")
    github.app.requests.clear()
    assert github.fetch(*names).written.updated == 1
    assert dict(github.app.requests) == {"Repositories": 2, "Pulls": 1}


def test_two_servers_repositories_of_one_number_are_kept_apart(
    github: GitHub, store: SqliteStore
) -> None:
    add(github.world, "o/r")
    github.fetch("o/r")
    github.fetch("o/r", access={"url": "http://127.0.0.1:1"})
    assert store.checkpoint("github:localhost:1000") is not None
    assert store.checkpoint("github:127.0.0.1:1:1000") is not None


@pytest.mark.parametrize("field", ["pullRequests", "repositories"])
def test_a_missing_scope_is_told_with_what_the_token_needs(github: GitHub, field: str) -> None:
    add(github.world, "o/r")
    github.misbehave(forbidden=frozenset({field}))
    if field == "repositories":
        with pytest.raises(InputError, match="organisation o: Resource not accessible"):
            github.fetch(organisation="o")
        return
    error = str(github.fetch("o/r").failed[0].error)
    assert "o/r: Resource not accessible by personal access token" in error
    assert "Pull requests: read" in error
