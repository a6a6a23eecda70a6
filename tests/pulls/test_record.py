"""The record and the parser of GitHub's REST object."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pullrisk.pulls.record import (
    MAX_BODY,
    MAX_FILES,
    MAX_TITLE,
    ChangedFile,
    Pull,
    decode,
    encode,
    fingerprint,
    utc,
)
from pullrisk.pulls.rest import parse_rest

REST: dict[str, Any] = {
    "number": 7,
    "created_at": "2024-02-28T23:59:59Z",
    "updated_at": "2024-02-29T12:00:00Z",
    "base": {"ref": "main", "repo": {"full_name": "owner/name", "id": 42}},
}
OPENED: dict[str, Any] = {
    **REST,
    "id": 1,
    "state": "open",
    "title": "Add a thing",
    "body": "",
    "user": {"login": "octocat", "id": 1, "type": "User", "site_admin": False},
    "author_association": "COLLABORATOR",
    "draft": True,
    "head": {"ref": "topic", "sha": "ab" * 20, "repo": {"full_name": "fork/name", "id": 43}},
    "merge_commit_sha": "cd" * 20,
    "merged": False,
    "merged_at": None,
    "closed_at": None,
    "labels": [{"id": 1, "name": "bug"}, None, {"name": ""}],
    "assignees": [{"login": "a"}],
    "requested_reviewers": [{"login": "r"}, None],
    "requested_teams": [{"slug": "t"}],
    "commits": 2,
    "additions": 10,
    "deletions": 0,
    "changed_files": 1,
}


def parsed(**changes: object) -> Pull:
    return parse_rest(json.dumps({**REST, **changes}))


def test_a_webhooks_pull_request_parses_in_full() -> None:
    payload = {"action": "opened", "number": 7, "pull_request": OPENED, "repository": {}}
    assert parse_rest(json.dumps(payload["pull_request"])) == Pull(
        repository="owner/name",
        repository_id=42,
        number=7,
        created_at=datetime(2024, 2, 28, 23, 59, 59, tzinfo=UTC),
        updated_at=datetime(2024, 2, 29, 12, tzinfo=UTC),
        title="Add a thing",
        author="octocat",
        author_association="COLLABORATOR",
        draft=True,
        head_ref="topic",
        head_sha="ab" * 20,
        head_repository="fork/name",
        base_ref="main",
        labels=("bug",),
        assignees=("a",),
        reviewers=("r",),
        commits=2,
        additions=10,
        deletions=0,
        changed_files=1,
    )


def test_the_least_that_is_needed_parses() -> None:
    pull = parsed()
    assert (pull.state, pull.event_at, pull.files, pull.commits) == ("open", None, None, None)
    assert (pull.title, pull.body, pull.author, pull.bot) == ("", "", None, False)


@pytest.mark.parametrize("user", [None, {}, {"login": None}, {"login": ""}])
def test_a_deleted_account_is_no_author(user: object) -> None:
    assert parsed(user=user).author is None


def test_a_branch_of_the_renamed_repository_itself_is_in_no_fork() -> None:
    renamed = {"full_name": "new/name", "id": 7}
    base = {"ref": "main", "repo": {"full_name": "o/r", "id": 7}}
    moment = "2024-01-01T00:00:00Z"
    rest = {"number": 1, "created_at": moment, "updated_at": moment, "base": base}
    own = {**rest, "head": {"ref": "x", "repo": renamed}}
    fork = {**rest, "head": {"ref": "x", "repo": {**renamed, "id": 8}}}
    assert parse_rest(json.dumps(own)).head_repository == "o/r"
    assert parse_rest(json.dumps(fork)).head_repository == "new/name"


def test_a_deleted_fork_is_no_head_repository() -> None:
    pull = parsed(head={"ref": "topic", "sha": "a", "repo": None})
    assert (pull.head_ref, pull.head_repository) == ("topic", None)


def test_unknown_values_and_unknown_fields_pass() -> None:
    files = [{"filename": "a", "status": "teleported"}, {"filename": "b", "status": None}]
    pull = parsed(author_association="DEITY", files=files, state="limbo", new={"field": [1]})
    assert pull.author_association == "DEITY"
    assert pull.files == (ChangedFile("a", "teleported"), ChangedFile("b", "modified"))


def test_state_and_event_follow_the_times() -> None:
    closed = parsed(closed_at="2024-03-01T00:00:00Z")
    assert (closed.state, closed.event_at) == ("closed", datetime(2024, 3, 1, tzinfo=UTC))
    both = parsed(closed_at="2024-03-01T00:00:00Z", merged_at="2024-02-29T23:59:59Z")
    assert (both.state, both.event_at) == ("merged", datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC))


def test_a_test_merge_commit_is_no_merge() -> None:
    assert parsed(merge_commit_sha="a" * 40).merge_sha is None
    merged = parsed(merge_commit_sha="a" * 40, merged_at="2024-03-01T00:00:00Z")
    assert merged.merge_sha == "a" * 40


def test_times_with_an_offset_become_utc() -> None:
    assert parsed(created_at="2024-02-29T01:30:00+05:30").created_at == datetime(
        2024, 2, 28, 20, tzinfo=UTC
    )
    assert utc(datetime.fromisoformat("2024-01-01T00:00:00-03:00")).tzinfo is UTC


def test_long_texts_and_lists_are_cut_but_counted() -> None:
    files = [{"filename": f"f{i}"} for i in range(MAX_FILES + 5)]
    pull = parsed(title="t" * 9_999, body="b" * 99_999, files=files)
    assert (len(pull.title), len(pull.body)) == (MAX_TITLE, MAX_BODY)
    assert pull.files is not None
    assert len(pull.files) == MAX_FILES
    assert pull.changed_files == MAX_FILES + 5
    assert parsed(files=files, changed_files=4_000).changed_files == 4_000


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"number": None}, r"\$\.number"),
        ({"number": 0}, r"\$\.number"),
        ({"number": -3}, r"\$\.number"),
        ({"number": 2**53}, r"\$\.number"),
        ({"number": 10**30}, r"\$\.number"),
        ({"number": 1.5}, r"\$\.number"),
        ({"number": "7"}, r"\$\.number"),
        ({"number": True}, r"\$\.number"),
        ({"created_at": None}, r"\$\.created_at"),
        ({"created_at": "yesterday"}, r"\$\.created_at"),
        ({"created_at": "2024-02-30T00:00:00Z"}, r"\$\.created_at"),
        ({"created_at": "2024-02-28T00:00:00"}, r"time.?zone.*\$\.created_at"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "outside the years 1 to 9999"),
        ({"merged_at": 1709200000}, r"\$\.merged_at"),
        ({"closed_at": ""}, r"\$\.closed_at"),
        ({"additions": -1}, r"\$\.additions"),
        ({"additions": 10**400}, r"\$\.additions"),
        ({"commits": "many"}, r"\$\.commits"),
        ({"files": [{"filename": "a"}, {"filename": None}]}, r"\$\.files\[1\]\.filename"),
        ({"files": [{"filename": "a", "deletions": -1}]}, r"\$\.files\[0\]\.deletions"),
        ({"base": {"repo": {"full_name": "a/b", "id": 10**25}}}, r"\$\.base\.repo\.id"),
    ],
)
def test_a_bad_value_is_refused_and_its_field_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parsed(**changes)


@pytest.mark.parametrize("missing", ["number", "created_at", "updated_at"])
def test_a_missing_necessity_is_refused_and_named(missing: str) -> None:
    rest = {key: value for key, value in REST.items() if key != missing}
    with pytest.raises(ValueError, match=missing):
        parse_rest(json.dumps(rest))


@pytest.mark.parametrize(
    "name",
    [None, "", "name", "/name", "owner/", "a/b/c", "../..", "./a", "a/..", "a b/c", "a/b\n",
     "a/" + "x" * 101, "é/b", "a/b\x00"],
)  # fmt: skip
def test_a_name_that_is_no_repository_is_refused(name: str | None) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        parsed(base={"repo": {"full_name": name}})


@pytest.mark.parametrize("name", ["a/b", "a-1/b.c_d-e", "x/.github", "A/..."])
def test_github_names_are_accepted_from_the_object_or_the_caller(name: str) -> None:
    assert parsed(base={"repo": {"full_name": name}}).repository == name
    assert parse_rest(json.dumps({**REST, "base": None}), repository=name).repository == name


def test_the_objects_own_repository_wins_over_the_callers() -> None:
    assert parse_rest(json.dumps(REST), repository="other/name").repository == "owner/name"


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"null", b"7", b"{", b"\xff\xfe\x00", b'{"number": 7} trailing',
             b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
)  # fmt: skip
def test_what_is_no_object_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"truncated|malformed|Expected|nested|missing"):
        parse_rest(line)


def test_bots_and_agents_are_told_by_account_branch_and_description() -> None:
    assert parsed(user={"login": "x", "type": "Bot"}).bot
    assert parsed(user={"login": "prombot"}).author_names == ("name:robot",)
    mine = parsed(user={"login": "mara"}, body="Co-authored-by: Claude <noreply@anthropic.com>")
    assert (mine.bot, mine.agent) == (False, "claude")
    branch = {"ref": "codex/fix", "sha": "a", "repo": None}
    assert parsed(user={"login": "mara"}, head=branch).agent == "codex"


@pytest.mark.parametrize(("body", "unknown"), [(None, ("description",)), ("", ()), ("Why.", ())])
def test_a_description_that_is_null_is_unknown_and_an_empty_one_is_known(
    body: str | None, unknown: tuple[str, ...]
) -> None:
    found = parsed(body=body)
    assert (found.body, found.unknown) == (body or "", unknown)


def test_a_record_of_an_earlier_version_still_decodes() -> None:
    fields = msgspec.msgpack.decode(encode(parse_rest(json.dumps(OPENED))))
    earlier = msgspec.msgpack.encode(fields[: Pull.__struct_fields__.index("repository_id")])
    assert decode(earlier) == msgspec.structs.replace(
        parse_rest(json.dumps(OPENED)), repository_id=None
    )


moments = st.datetimes(timezones=st.just(UTC))
counts = st.none() | st.integers(0, 2**53 - 1)
files = st.builds(
    ChangedFile, st.text(), st.text(), counts, counts, st.none() | st.text()
)  # fmt: skip
pulls = st.builds(
    Pull,
    repository=st.from_regex(r"[\w.-]{2,9}/[\w.-]{3,9}", fullmatch=True),
    number=st.integers(1, 2**53 - 1),
    created_at=moments,
    updated_at=moments,
    merged_at=st.none() | moments,
    closed_at=st.none() | moments,
    title=st.text(),
    body=st.text(),
    author=st.none() | st.text(),
    commits=counts,
    labels=st.lists(st.text()).map(tuple),
    files=st.none() | st.lists(files).map(tuple),
)


@given(pulls)
def test_encoding_loses_nothing_and_keeps_the_fingerprint(pull: Pull) -> None:
    again = decode(encode(pull))
    assert again == pull
    assert encode(again) == encode(pull)
    assert fingerprint(again) == fingerprint(pull)
    assert 0 <= fingerprint(pull) < 2**63


@given(pulls, moments, st.lists(st.text()).map(tuple))
def test_what_history_cannot_learn_leaves_the_fingerprint(
    pull: Pull, updated_at: datetime, names: tuple[str, ...]
) -> None:
    touched = msgspec.structs.replace(
        pull, updated_at=updated_at, labels=names, assignees=names, reviewers=names, draft=True
    )
    assert fingerprint(touched) == fingerprint(pull)


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Other"},
        {"body": "Other"},
        {"author": "other"},
        {"number": 8},
        {"repository": "a/b"},
        {"additions": 11},
        {"files": ()},
        {"files": (ChangedFile("a"),)},
        {"merged_at": datetime(2024, 3, 1, tzinfo=UTC)},
        {"closed_at": datetime(2024, 3, 1, tzinfo=UTC)},
        {"created_at": datetime(2024, 2, 1, tzinfo=UTC) + timedelta(microseconds=1)},
    ],
)
def test_what_history_can_learn_changes_the_fingerprint(change: dict[str, Any]) -> None:
    pull = parse_rest(json.dumps(OPENED))
    assert fingerprint(msgspec.structs.replace(pull, **change)) != fingerprint(pull)
