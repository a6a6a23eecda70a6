"""What the App does about deliveries, beside a fake GitHub."""

from pathlib import Path
from typing import Any

import pytest

from pullrisk.app.pulls import StoredNames
from pullrisk.brief.result import LineRange, Place
from pullrisk.fetch.github.failures import Failure, Forbidden, Limited, Transient
from pullrisk.pulls.app_installations import AppInstallations
from pullrisk.pulls.feedback import load_feedback
from pullrisk.pulls.sqlite import SqliteStore
from pullrisk.serve.webhook_events import PULL_ACTIONS, Repository
from support.app import INSTALLATION, AppRig, about_pull, comment, payload_of


def opened(rig: AppRig, **fields: Any) -> int:
    return rig.world.open_pull(rig.repository, **fields)


def sha(rig: AppRig, number: int) -> str:
    return str(rig.repository.pulls[number]["head"]["sha"])


@pytest.mark.parametrize("action", sorted(PULL_ACTIONS - {"closed"}))
def test_an_open_pull_is_scored_with_its_files_and_published(rig: AppRig, action: str) -> None:
    number = opened(rig)
    rig.handle("pull_request", about_pull(rig.repository, number, action))
    (run,) = rig.checks
    assert (run["name"], run["head_sha"]) == ("pullrisk", sha(rig, number))
    assert (run["status"], run["conclusion"]) == ("completed", "neutral")
    assert run["output"]["title"] == "Likely to need a fix: 34 %."
    (pull,) = rig.scored
    assert [file.path for file in pull.files or ()] == [f"src/{number}.py"]
    assert rig.store.get("o/r", number) == pull


def test_a_repository_that_another_process_registers_meanwhile_keeps_its_name(
    rig: AppRig, tmp_path: Path
) -> None:
    repository = Repository(id=rig.repository.id, node_id="R_1", full_name="o/r")
    others = [StoredNames(rig.store, "localhost")]

    class Registered(SqliteStore):
        """In which another process registers the repository after the first look."""

        def checkpoint(self, key: str) -> dict[str, object] | None:
            found = super().checkpoint(key)
            if others:
                others.pop().of(repository)
            return found

    with Registered(tmp_path / "pulls.sqlite") as store:
        assert StoredNames(store, "localhost").of(repository) == "o/r"
    assert StoredNames(rig.store, "localhost").of(repository) == "o/r"


def test_lines_to_look_at_are_annotated_once_and_50_at_most(rig: AppRig) -> None:
    ranges = tuple(LineRange(first=n, last=n + 1, text=f"written by #{n}") for n in range(1, 61))
    number = opened(rig)
    for share in (0.5, 0.6):  # the second brief says something else
        place = Place(path=f"src/{number}.py", share=share, text="", ranges=ranges)
        rig.parts = {"places": (place,), "notes": (f"{share}",)}
        rig.handle("pull_request", about_pull(rig.repository, number))
    (run,) = rig.checks
    assert rig.published.writes == 2
    annotations = run["output"]["annotations"]
    assert len(annotations) == 50
    assert annotations[0] == {
        "path": f"src/{number}.py", "start_line": 1, "end_line": 2,
        "message": "written by #1", "annotation_level": "notice",
    }  # fmt: skip


def test_a_repetition_publishes_nothing_more(rig: AppRig) -> None:
    number = opened(rig)
    for action in ("opened", "labeled", "edited"):
        rig.handle("pull_request", about_pull(rig.repository, number, action))
    assert len(rig.checks) == 1
    assert rig.published.writes == 1


def test_a_push_is_published_at_the_new_head(rig: AppRig) -> None:
    number = opened(rig)
    late = about_pull(rig.repository, number, "synchronize")
    rig.handle("pull_request", about_pull(rig.repository, number))
    rig.world.change(rig.repository, number, head={"ref": "b", "sha": "f" * 40})
    rig.handle("pull_request", late)
    assert [run["head_sha"] for run in rig.checks] == [f"{number:040x}", "f" * 40]


def test_two_pulls_with_the_same_head_have_a_check_run_each(rig: AppRig) -> None:
    head = {"ref": "b", "sha": "a" * 40}
    for number in (opened(rig, head=head), opened(rig, head=head)):
        rig.handle("pull_request", about_pull(rig.repository, number))
    assert len({run["external_id"] for run in rig.checks}) == len(rig.checks) == 2


def test_a_lost_answer_leads_to_no_second_check_run(rig: AppRig) -> None:
    number = opened(rig)
    body = about_pull(rig.repository, number)
    # token, pull, files, configuration, check runs, and the check run, whose answer is lost
    rig.github.rest_faults = type(rig.github.rest_faults)(script=["", "", "", "", "", "cut"])
    with pytest.raises(Transient):
        rig.handle("pull_request", body)
    rig.handle("pull_request", body)
    assert len(rig.checks) == rig.published.writes == 1


@pytest.mark.parametrize(
    ("fault", "kind"), [("503", Transient), ("502", Transient), ("secondary", Limited)]
)
def test_what_passes_is_raised_for_the_queue(rig: AppRig, fault: str, kind: type[Failure]) -> None:
    rig.github.rest_faults = type(rig.github.rest_faults)(script=["", fault])
    with pytest.raises(kind):
        rig.handle("pull_request", about_pull(rig.repository, opened(rig)))


def test_a_merge_is_recorded_and_not_published(rig: AppRig) -> None:
    number = opened(rig)
    moment = "2026-01-01T00:00:00Z"
    rig.world.change(rig.repository, number, merged_at=moment, closed_at=moment, state="closed")
    rig.handle("pull_request", about_pull(rig.repository, number, "closed"))
    assert rig.checks == []
    assert [pull.state for pull in rig.store.events("o/r")] == ["merged"]


def test_an_opening_that_comes_after_the_merge_publishes_nothing(rig: AppRig) -> None:
    number = opened(rig)
    moment = "2026-01-01T00:00:00Z"
    rig.world.change(rig.repository, number, merged_at=moment, closed_at=moment)
    rig.handle("pull_request", about_pull(rig.repository, number, "opened"))
    assert rig.checks == []


def test_a_merge_group_is_answered_without_a_score(rig: AppRig) -> None:
    body = payload_of(rig.repository, "checks_requested", merge_group={"head_sha": "e" * 40})
    rig.handle("merge_group", body)
    rig.handle("merge_group", body)
    (run,) = rig.checks
    assert (run["head_sha"], run["conclusion"]) == ("e" * 40, "neutral")
    assert rig.scored == []


@pytest.mark.parametrize(
    ("event", "action"),
    [("repository", "renamed"), ("repository", "transferred"), ("installation_target", "renamed")],
)
def test_a_renamed_repository_goes_on_under_its_first_name(
    rig: AppRig, event: str, action: str
) -> None:
    first, second = opened(rig), opened(rig)
    rig.handle("pull_request", about_pull(rig.repository, first))
    before = payload_of(rig.repository, "edited", pull_request={"number": second})
    rig.world.rename(rig.repository, "other/name")
    rig.handle(event, payload_of(rig.repository, action))
    assert AppInstallations(rig.store, "localhost").names() == ["other/name"]
    rig.handle("pull_request", about_pull(rig.repository, second))
    rig.handle("pull_request", before)
    assert [pull.number for pull in rig.store.pulls("o/r")] == [first, second]
    assert {run["repository"] for run in rig.checks} == {"o/r", "other/name"}


def test_a_new_repository_under_an_old_name_does_not_mix_with_the_old_one(rig: AppRig) -> None:
    rig.handle("pull_request", about_pull(rig.repository, opened(rig)))
    rig.world.rename(rig.repository, "o/new")
    other = rig.world.add("o/r", repository_id=9_999)
    number = rig.world.open_pull(other)
    rig.handle("pull_request", about_pull(other, number))
    assert [one.repository for one in rig.store.repositories()] == ["o/r", "o/r-9999"]


def test_installations_add_and_remove_repositories(rig: AppRig) -> None:
    rig.world.add("o/second")
    rig.handle("installation", payload_of(rig.repository, "created"))
    installed = AppInstallations(rig.store, "localhost")
    assert installed.names() == ["o/r", "o/second"]
    rig.published.installed = ["o/second"]
    rig.handle("installation_repositories", payload_of(rig.repository, "removed"))
    assert installed.names() == ["o/second"]
    rig.github.accounts.app_installations = ()
    rig.handle("installation", payload_of(rig.repository, "deleted"))
    assert installed.names() == []


def test_nobody_is_told_where_the_app_is_gone(rig: AppRig) -> None:
    number = opened(rig)
    rig.github.accounts.app_installations = ()
    rig.handle("pull_request", about_pull(rig.repository, number))
    rig.github.accounts.app_installations = (INSTALLATION,)
    rig.world.delete(rig.repository)
    rig.handle("pull_request", about_pull(rig.repository, number))
    assert rig.checks == []


def test_a_suspended_installation_is_left_alone(rig: AppRig) -> None:
    number = opened(rig)
    rig.handle("installation", payload_of(rig.repository, "created"))
    rig.github.accounts.suspended = True
    rig.handle("pull_request", about_pull(rig.repository, number))
    rig.handle("installation", payload_of(rig.repository, "suspend"))
    assert rig.checks == []
    assert AppInstallations(rig.store, "localhost").names() == []


def test_a_permission_that_lacks_is_an_error(rig: AppRig) -> None:
    number = opened(rig)
    rig.published.forbidden = ("check-runs",)
    with pytest.raises(Forbidden):
        rig.handle("pull_request", about_pull(rig.repository, number))


@pytest.mark.parametrize("kind", ["wrong", "missed", "noisy", "explain"])
def test_feedback_of_those_who_may_write_is_kept_once(rig: AppRig, kind: str) -> None:
    number = opened(rig)
    rig.published.permissions["mara"] = "write"
    for _ in range(2):
        text = f"/pullrisk {kind} it only moves\nfiles"
        rig.handle("issue_comment", comment(rig.repository, number, text))
    (said,) = load_feedback(rig.store)
    assert (said.repository, said.number, said.kind) == ("o/r", number, kind)
    assert (said.login, said.note, said.risk) == ("mara", "it only moves\nfiles", 0.34)
    assert [each["content"] for each in rig.published.reactions] == ["+1"]
    assert len(rig.checks) == (kind == "explain")
    assert load_feedback(rig.store, repository="o/other") == []


def test_others_are_not_heard(rig: AppRig) -> None:
    rig.handle("issue_comment", comment(rig.repository, opened(rig), "/pullrisk wrong"))
    assert load_feedback(rig.store) == []
    assert rig.published.reactions == []


def test_an_unknown_command_is_answered_as_such(rig: AppRig) -> None:
    rig.published.permissions["mara"] = "admin"
    rig.handle("issue_comment", comment(rig.repository, opened(rig), "/pullrisk dance"))
    assert [each["content"] for each in rig.published.reactions] == ["confused"]
    assert load_feedback(rig.store) == []
