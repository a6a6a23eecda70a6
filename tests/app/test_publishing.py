"""What a pull request is told beside its check run, as the file of its base branch says."""

from typing import Any

import pytest

from pullrisk.brief.result import LineRange, Place
from pullrisk.fetch.github.failures import Forbidden, Transient
from support.app import AppRig, about_pull

FILE = ".github/pullrisk.yml"


def configured(rig: AppRig, text: str, *, branch: str = "main") -> None:
    rig.published.conversations.files[(rig.repository.name, branch, FILE)] = text.encode()


def handled(rig: AppRig, **fields: Any) -> int:
    number = rig.world.open_pull(rig.repository, **fields)
    again(rig, number)
    return number


def again(rig: AppRig, number: int) -> None:
    rig.handle("pull_request", about_pull(rig.repository, number))


def comments(rig: AppRig) -> list[str]:
    return [each["body"] for each in rig.published.conversations.comments]


def labels(rig: AppRig, number: int) -> list[str]:
    return rig.published.conversations.labels.get((rig.repository.name, number), [])


def test_without_a_file_there_is_a_check_run_and_nothing_else(rig: AppRig) -> None:
    number = handled(rig)
    assert len(rig.checks) == 1
    assert comments(rig) == labels(rig, number)
    assert rig.points is None


def test_each_publication_can_be_switched_off(rig: AppRig) -> None:
    configured(rig, "check_run: false")
    number = handled(rig)
    assert rig.checks == []
    assert comments(rig) == labels(rig, number) == []
    assert [pull.number for pull in rig.store.pulls("o/r")] == [number], "it is recorded"


@pytest.mark.parametrize(("text", "count"), [("annotations: true", 1), ("annotations: false", 0)])
def test_annotations_can_be_switched_off(rig: AppRig, text: str, count: int) -> None:
    configured(rig, text)
    ranges = (LineRange(first=1, last=2, text="written by #1"),)
    rig.parts = {"places": (Place(path="a.py", share=1.0, text="", ranges=ranges),)}
    handled(rig)
    assert len(rig.checks[0]["output"]["annotations"]) == count


def test_one_comment_is_written_and_brought_up_to_date(rig: AppRig) -> None:
    configured(rig, "comment: always")
    number = handled(rig)
    again(rig, number)
    (body,) = comments(rig)
    assert "Likely to need a fix" in body
    assert rig.published.conversations.writes == 1, "the same is not written again"
    rig.parts = {"risk": 0.1, "band": "low", "verdict": "Less likely to need a fix."}
    rig.world.change(rig.repository, number, head={"ref": "b", "sha": "f" * 40})
    again(rig, number)
    (body,) = comments(rig)
    assert "Down from 34% (high)" in body
    assert "Less likely" in body
    again(rig, number)
    assert comments(rig) == [body], "what changed since the last push stays"


def test_what_others_wrote_is_left_alone(rig: AppRig) -> None:
    configured(rig, "comment: always")
    number = rig.world.open_pull(rig.repository)
    copied = "<!-- pullrisk: brief -->\nnot ours"
    rig.published.conversations.comment("o/r", number, copied, login="mara")
    again(rig, number)
    again(rig, number)
    assert [text == copied for text in comments(rig)] == [True, False]


@pytest.mark.parametrize(("start", "written"), [("high", 1), ("elevated", 1), ("off", 0)])
def test_a_comment_begins_from_its_band_on(rig: AppRig, start: str, written: int) -> None:
    configured(rig, f"comment: {start}")
    rig.parts = {"band": "high"}
    handled(rig)
    assert len(comments(rig)) == written


def test_the_label_follows_the_band_and_others_stay(rig: AppRig) -> None:
    configured(rig, "labels: {}")
    number = rig.world.open_pull(rig.repository)
    rig.published.conversations.labels[("o/r", number)] = ["bug", "risk: elevated"]
    again(rig, number)
    assert labels(rig, number) == ["bug", "risk: high"]
    rig.parts = {"band": "low"}
    again(rig, number)
    assert labels(rig, number) == ["bug"]


def test_a_draft_is_not_scored_unless_the_file_says_so(rig: AppRig) -> None:
    number = handled(rig, draft=True)
    (run,) = rig.checks
    assert run["output"]["title"] == "Not scored: it is a draft"
    assert rig.scored == []
    configured(rig, "skip: {drafts: false}")
    again(rig, number)
    assert rig.checks[0]["output"]["title"].startswith("Likely")
    assert [brief.number for brief in rig.kept] == [number], "only what was scored is kept"


def test_the_bands_of_the_file_are_those_of_the_score(rig: AppRig) -> None:
    configured(rig, "bands: {high: 0.1, elevated: 0.2}")
    handled(rig)
    assert rig.points is not None
    assert (rig.points.high, rig.points.elevated) == (0.1, 0.2)


def test_the_file_is_that_of_the_base_branch(rig: AppRig) -> None:
    configured(rig, "comment: always", branch="release")
    handled(rig, base={"ref": "main"})
    assert comments(rig) == []
    handled(rig, base={"ref": "release"})
    assert len(comments(rig)) == 1


def test_a_file_that_cannot_be_used_is_said_in_the_check_run(rig: AppRig) -> None:
    configured(rig, "coment: always")
    handled(rig)
    (run,) = rig.checks
    assert run["output"]["title"].startswith("Likely")
    assert "line 1" in run["output"]["summary"]
    assert "the defaults are used" in run["output"]["summary"]


@pytest.mark.parametrize(("part", "kind"), [("/issues/", Forbidden), ("/check-runs", Forbidden)])
def test_a_permission_that_lacks_is_an_error_that_says_so(
    rig: AppRig, part: str, kind: type[Exception]
) -> None:
    configured(rig, "comment: always")
    rig.published.forbidden = (part,)
    with pytest.raises(kind, match="not accessible"):
        handled(rig)


def test_without_the_permission_to_read_the_file_the_defaults_apply(rig: AppRig) -> None:
    configured(rig, "comment: always")
    rig.published.forbidden = ("/contents/",)
    handled(rig)
    assert "contents: read" in rig.checks[0]["output"]["summary"].replace("`", "")
    assert comments(rig) == []


def test_a_comment_that_github_cannot_take_now_is_tried_again_by_the_queue(rig: AppRig) -> None:
    configured(rig, "comment: always")
    number = rig.world.open_pull(rig.repository)
    # token, pull, files, configuration, check runs, the check run, the App, then the comments
    rig.github.rest_faults = type(rig.github.rest_faults)(script=[*[""] * 7, "503"])
    with pytest.raises(Transient):
        again(rig, number)
    again(rig, number)
    assert len(rig.checks) == len(comments(rig)) == 1
