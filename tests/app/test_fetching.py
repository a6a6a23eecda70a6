"""What webhooks stored and what is fetched are one: under one name, each pull once."""

import pytest

from fake_github.schema import NotInstalledError, github_schema
from pullrisk.pulls.app_installations import AppInstallations
from support.app import AppRig, about_pull, payload_of
from support.github import GitHub


@pytest.fixture(autouse=True)
def _schema() -> None:
    try:
        github_schema()
    except NotInstalledError as error:
        pytest.skip(str(error))


def fetch(rig: AppRig, *names: str) -> None:
    report = GitHub(rig.world, rig.store).fetch(*names)
    assert [each.error for each in report.repositories] == [None] * len(names)


def test_a_fetch_after_the_first_webhook_reads_the_rest(rig: AppRig) -> None:
    first, second = rig.world.open_pull(rig.repository), rig.world.open_pull(rig.repository)
    rig.handle("pull_request", about_pull(rig.repository, second))
    fetch(rig, "o/r")
    assert [pull.number for pull in rig.store.pulls("o/r")] == [first, second]


def test_a_renamed_repository_is_fetched_under_its_first_name(rig: AppRig) -> None:
    first, second = rig.world.open_pull(rig.repository), rig.world.open_pull(rig.repository)
    rig.handle("installation", payload_of(rig.repository, "created"))
    rig.handle("pull_request", about_pull(rig.repository, second))
    rig.world.rename(rig.repository, "other/name")
    rig.handle("installation", payload_of(rig.repository, "created"))
    names = AppInstallations(rig.store, "localhost").names()
    assert names == ["other/name"]
    fetch(rig, *names)
    assert [each.repository for each in rig.store.repositories()] == ["o/r"]
    assert [pull.number for pull in rig.store.pulls("o/r")] == [first, second]


def test_a_merge_that_a_webhook_told_is_the_event_that_a_fetch_tells(rig: AppRig) -> None:
    number = rig.world.open_pull(rig.repository, body="why")
    moment = "2026-01-01T00:00:00Z"
    rig.world.change(
        rig.repository, number, merged_at=moment, closed_at=moment, merge_commit_sha="c" * 40
    )
    rig.handle("pull_request", about_pull(rig.repository, number, "closed"))
    told = rig.store.fingerprints("o/r")
    fetch(rig, "o/r")
    assert rig.store.fingerprints("o/r") == told
