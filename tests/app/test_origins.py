"""Whose lines an open pull touches, in the App: of GitHub's blame, since it has no clone."""

from typing import Any

import pytest

from fake_github.faults import Faults
from pullrisk.fetch.github import touched_lines
from pullrisk.fetch.github.touched_lines import MOST_BLAMED
from pullrisk.pulls.lines import ChangedHunk, Origin
from pullrisk.pulls.record import push_number
from support.app import AppRig, about_pull

PATCH = (
    "@@ -1,4 +1,3 @@\n first\n-second = 2\n-third = 3\n+second = 4\n fourth"
    "\n@@ -9,1 +8,2 @@\n nine\n+ten = 10"
)
BASE = f"{0xBA5E:040x}"
MERGE, PUSH = "ab" * 20, "cd" * 20


def changed(path: str = "a.py", **parts: Any) -> dict[str, Any]:
    file = {"filename": path, "status": "modified", "additions": 2, "deletions": 2, "patch": PATCH}
    return file | parts


def opened(rig: AppRig, *files: dict[str, Any]) -> int:
    """A pull that rewrites a line of #1 and one that was pushed, and inserts beside #1's."""
    merged = rig.world.open_pull(rig.repository)
    rig.repository.pulls[merged] |= {"merged_at": "2024-01-02T00:00:00Z", "merge_commit_sha": MERGE}
    rig.repository.blames[BASE] = {"a.py": [(1, 2, MERGE), (3, 3, PUSH), (4, 12, MERGE)]}
    listed = list(files) or [changed()]
    return rig.world.open_pull(rig.repository, files=listed, changed_files=len(listed))


def update(rig: AppRig, number: int, action: str = "opened") -> Any:
    """What the App knows of the pull's lines when it publishes."""
    rig.handle("pull_request", about_pull(rig.repository, number, action))
    assert rig.checks[-1]["head_sha"] == rig.repository.pulls[number]["head"]["sha"]
    assert rig.scored[-1].lines is not None
    return rig.scored[-1].lines


def test_rewritten_lines_are_of_the_pulls_and_pushes_that_github_names(rig: AppRig) -> None:
    number = opened(rig)
    lines = update(rig, number)
    pushed = push_number(PUSH)
    assert set(lines.rewrites) == {Origin(1, 1, 0), Origin(pushed, 1, 0)}
    assert lines.neighbours == (Origin(1, 1, 0),)
    assert (lines.code_added, lines.code_removed) == (2, 2)
    stored = rig.store.get("o/r", number)
    assert stored is not None
    assert stored.lines == lines


def test_the_brief_is_told_the_hunks_and_whose_lines_each_touches(rig: AppRig) -> None:
    update(rig, opened(rig))
    pushed = push_number(PUSH)
    assert rig.hunks["a.py"] == [
        ChangedHunk(2, 2, 1, 2, rewrites=tuple(sorted(((1, 1), (pushed, 1))))),
        ChangedHunk(9, 9, 1, 0, neighbours=(1,)),
    ]


def test_they_are_asked_for_once_a_head(rig: AppRig) -> None:
    number = opened(rig)
    labelled = about_pull(rig.repository, number, "labeled")
    rig.handle("pull_request", about_pull(rig.repository, number), labelled)
    assert rig.scored[0].lines == rig.scored[1].lines
    assert rig.hunks["a.py"]
    assert rig.github.requests["Blame"] == 1
    rig.repository.pulls[number]["head"] = {"ref": "branch", "sha": "ef" * 20}
    update(rig, number, "synchronize")
    assert rig.github.requests["Blame"] == 2


def _unknown_commit(rig: AppRig) -> None:
    rig.repository.blames.clear()


def _unknown_path(rig: AppRig) -> None:
    rig.repository.blames[BASE] = {}


def _no_history_in_common(rig: AppRig) -> None:
    for pull in rig.repository.pulls.values():
        pull["base"] = {"ref": "main", "sha": None}


@pytest.mark.parametrize("fault", ["502", "timeout", "garbage", "429", "rate-limited"])
def test_a_call_that_fails_costs_the_origins_alone(rig: AppRig, fault: str) -> None:
    number = opened(rig)
    rig.github.faults = Faults(script=[fault])
    assert update(rig, number).rewrites is None
    assert update(rig, number, "labeled").rewrites is not None


def test_points_are_left_to_others(rig: AppRig, monkeypatch: pytest.MonkeyPatch) -> None:
    number = opened(rig)
    monkeypatch.setattr(touched_lines, "LEAST_LEFT", 5_000)
    assert update(rig, number).rewrites is None


@pytest.mark.parametrize("harm", [_unknown_commit, _unknown_path, _no_history_in_common])
def test_where_github_does_not_tell_origins_are_unknown_and_the_score_is_published(
    rig: AppRig, harm: Any
) -> None:
    number = opened(rig)
    harm(rig)
    assert update(rig, number).rewrites is None


def test_a_pull_that_touches_many_files_costs_no_call(rig: AppRig) -> None:
    number = opened(rig, *(changed(f"a{place}.py") for place in range(MOST_BLAMED + 1)))
    assert update(rig, number).rewrites is None
    assert rig.github.requests["Blame"] == 0
