"""What the versions of a pull from two sources tell of its author together."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from pullrisk.pulls.record import Pull
from pullrisk.pulls.versions import join_versions

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
HASH, OTHER = "0123456789ab", "ba9876543210"
CLONE = Pull(repository="o/r", number=1, created_at=NOON, updated_at=NOON, author=f"author-{HASH}")
GITHUB = replace(CLONE, author="mara", updated_at=NOON + timedelta(hours=1))


def test_the_newer_version_stays_and_gains_the_names_of_the_other() -> None:
    expected = replace(GITHUB, author_names=(f"email:{HASH}",))
    assert join_versions(CLONE, GITHUB) == join_versions(GITHUB, CLONE) == expected
    assert join_versions(expected, GITHUB) == join_versions(expected, CLONE) == expected


def test_a_deleted_account_keeps_the_address() -> None:
    ghost = replace(GITHUB, author=None)
    assert join_versions(CLONE, ghost).author_names == (f"email:{HASH}",)


@pytest.mark.parametrize(
    ("clone", "github"),
    [
        (replace(CLONE, bot=True), GITHUB),
        (replace(CLONE, author_names=("login:bob",)), GITHUB),
        (CLONE, replace(GITHUB, bot=True)),
        (CLONE, replace(GITHUB, author=f"author-{OTHER}")),
        (replace(CLONE, author="bob"), GITHUB),
    ],
)
def test_work_of_another_ties_nothing(clone: Pull, github: Pull) -> None:
    assert join_versions(clone, github) == github


def test_a_noreply_address_of_the_same_login_ties_its_other_addresses() -> None:
    clone = replace(CLONE, author_names=("login:mara", f"email:{OTHER}"))
    assert join_versions(clone, GITHUB).author_names == (f"email:{OTHER}", f"email:{HASH}")


@pytest.mark.parametrize("known", [(), ("o/r#3",)])
@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=1)])
def test_a_version_that_knows_no_issues_keeps_those_that_the_other_knows(
    known: tuple[str, ...], later: timedelta
) -> None:
    github = replace(GITHUB, merge_sha="1" * 40, closes=("o/r#3", "o/r#4"), closed_bugs=known)
    other = replace(github, closes=(), closed_bugs=None, updated_at=github.updated_at + later)
    for version in (join_versions(github, other), join_versions(other, github)):
        assert (version.closes, version.closed_bugs) == (github.closes, known)
    another = replace(other, merge_sha="2" * 40)
    assert join_versions(github, another).closed_bugs is None


def test_newer_labels_of_issues_stay_as_they_are() -> None:
    old = replace(GITHUB, merge_sha="1" * 40, closes=("o/r#3",), closed_bugs=("o/r#3",))
    new = replace(old, closed_bugs=(), updated_at=old.updated_at + timedelta(hours=1))
    assert join_versions(old, new) == new
