"""The forms of a pull request: REST, webhooks, what gh prints, and texts that were cut."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pullrisk.pulls.formats import GH_FIELDS, parse_pull, rest_object
from pullrisk.pulls.record import ChangedFile, Review
from pullrisk.pulls.rest import parse_rest, parse_rest_list

MOMENT = "2024-05-06T07:08:09Z"
REST: dict[str, Any] = {
    "number": 7,
    "title": "Mend the valve",
    "created_at": MOMENT,
    "updated_at": MOMENT,
    "user": {"login": "ada", "type": "User"},
    "base": {"ref": "main", "repo": {"full_name": "pump/house"}},
}
GH: dict[str, Any] = {
    "number": 7,
    "title": "Mend the valve",
    "body": "It leaked.",
    "url": "https://github.com/pump/house/pull/7",
    "createdAt": MOMENT,
    "updatedAt": MOMENT,
    "mergedAt": "2024-05-07T07:08:09Z",
    "closedAt": "2024-05-07T07:08:09Z",
    "state": "MERGED",
    "author": {"id": "x", "is_bot": False, "login": "ada", "name": "Ada"},
    "isDraft": False,
    "baseRefName": "main",
    "headRefName": "valve",
    "headRefOid": "a" * 40,
    "headRepository": {"id": "y", "name": "home"},
    "headRepositoryOwner": {"id": "z", "login": "ada"},
    "mergeCommit": {"oid": "b" * 40},
    "labels": [{"id": "l", "name": "bug", "color": "red"}],
    "assignees": [{"login": "eve"}],
    "reviewRequests": [{"__typename": "Team", "name": "all", "slug": "all"}, {"login": "kim"}],
    "reviews": [{"author": {"login": "kim"}, "state": "APPROVED", "submittedAt": MOMENT}],
    "commits": [{"oid": "c"}, {"oid": "d"}],
    "additions": 3,
    "deletions": 1,
    "changedFiles": 1,
    "files": [{"path": "valve.c", "additions": 3, "deletions": 1, "changeType": "DELETED"}],
    "reviewDecision": "APPROVED",
    "statusCheckRollup": [],
}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_what_gh_prints_is_read_field_by_field() -> None:
    pull = parse_pull(encoded(GH))
    assert (pull.repository, pull.number, pull.title) == ("pump/house", 7, "Mend the valve")
    assert pull.merged_at == datetime(2024, 5, 7, 7, 8, 9, tzinfo=UTC)
    assert (pull.author, pull.bot, pull.draft) == ("ada", False, False)
    assert (pull.base_ref, pull.head_ref, pull.head_repository) == ("main", "valve", "ada/home")
    assert (pull.head_sha, pull.merge_sha, pull.commits) == ("a" * 40, "b" * 40, 2)
    assert (pull.labels, pull.assignees, pull.reviewers) == (("bug",), ("eve",), ("kim",))
    assert pull.files == (ChangedFile("valve.c", "removed", 3, 1),)
    assert pull.reviews == (Review("kim", "approved", datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)),)


def test_every_field_that_we_advise_to_ask_for_is_read_alone() -> None:
    asked = {name: GH[name] for name in GH_FIELDS.split(",")}
    assert parse_pull(encoded(asked)).files == parse_pull(encoded(GH)).files


def test_a_bot_of_gh_has_its_login_of_the_rest_api() -> None:
    pull = parse_pull(encoded({**GH, "author": {"login": "app/renovate", "is_bot": True}}))
    assert (pull.author, pull.bot) == ("renovate[bot]", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"createdAt": None}, "createdAt"),
        ({"updatedAt": "yesterday"}, "updatedAt"),
        ({"url": None}, "`url` is missing"),
        ({"mergedAt": None}, "`mergedAt` is missing"),
        ({"files": [{"additions": 1}]}, r"path.*files"),
    ],
)
def test_what_gh_was_not_asked_for_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_pull(encoded({**GH, **change}))


def test_a_name_given_stands_in_for_a_missing_url() -> None:
    assert parse_pull(encoded({**GH, "url": None}), repository="o/r").repository == "o/r"


@pytest.mark.parametrize("bare", [True, False])
def test_a_webhook_holds_the_pull_and_may_name_the_repository(*, bare: bool) -> None:
    inner = {**REST, "base": None} if bare else REST
    hook = {"action": "opened", "number": 7, "pull_request": inner}
    hook["repository"] = {"full_name": "pump/house"}
    assert parse_pull(encoded(hook)) == parse_pull(encoded(inner), repository="pump/house")
    assert rest_object(encoded(hook)) == inner


def test_the_field_that_is_wrong_in_a_webhook_is_named() -> None:
    with pytest.raises(ValueError, match=r"\$\.number"):
        parse_pull(encoded({"pull_request": {**REST, "number": "seven"}}))


def test_an_issue_that_is_a_pull_request_is_no_webhook() -> None:
    issue = {**REST, "pull_request": {"url": "https://api.github.com/repos/pump/house/pulls/7"}}
    assert parse_pull(encoded(issue)) == parse_rest(encoded(REST))


def in_hook(data: bytes) -> bytes:
    return b'{"pull_request": ' + data + b"}"


FORMS: dict[str, tuple[dict[str, Any], Callable[[bytes], bytes]]] = {
    "REST": (REST, bytes),
    "webhook": (REST, in_hook),
    "gh": (GH, bytes),
}
HALVES = {
    rb"cut \ud83d": "cut \ufffd",
    rb"\uDe80 tail": "\ufffd tail",
    rb"\ud83d\ud83d\ude80": "\ufffd🚀",
    rb"\ude80\ud83d": "\ufffd\ufffd",
    rb"\ud83dx": "\ufffdx",
    rb"\\ud83d is no half, \ud83d is": "\\ud83d is no half, \ufffd is",
    b"bytes \xed\xa0\xbd": "bytes \ufffd",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("half", HALVES)
def test_half_a_surrogate_becomes_the_replacement_character(form: str, half: bytes) -> None:
    pull, wrap = FORMS[form]
    data = wrap(encoded({**pull, "title": "TITLE"}).replace(b"TITLE", half))
    assert parse_pull(data).title == HALVES[half]


@pytest.mark.parametrize("form", FORMS)
def test_half_a_surrogate_may_stand_in_a_key_and_in_what_nobody_reads(form: str) -> None:
    pull, wrap = FORMS[form]
    data = wrap(encoded({"KEY": ["KEY"], **pull}).replace(b"KEY", rb"k\udc00"))
    assert parse_pull(data).number == 7


def test_lists_and_strings_have_whole_characters_too() -> None:
    half = encoded({**REST, "title": "TITLE"}).replace(b"TITLE", rb"\ud83d")
    pulls = parse_rest_list(b"[" + half + b"]", most=1)
    assert pulls is not None
    assert pulls[0].title == "\ufffd"
    assert parse_rest(json.dumps({**REST, "title": "\ud83d"}, ensure_ascii=False)).title == "\ufffd"


@pytest.mark.parametrize("data", [rb'{"title": "\ud83', b'{"title": "\xff"}', rb"\ud83d", b'"\\'])
def test_what_is_no_json_stays_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_pull(data)
