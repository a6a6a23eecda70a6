"""From GraphQL nodes to the record."""

from datetime import UTC, datetime

import msgspec
import pytest

from pullrisk.fetch.github.documents import PULLS, PullNode
from pullrisk.fetch.github.parse import pull_from_node
from pullrisk.pulls.record import MAX_BODY, ChangedFile, Pull, Review

BARE = {
    "id": "PR_1",
    "number": 7,
    "createdAt": "2024-01-01T00:00:00Z",
    "updatedAt": "2024-01-02T01:00:00+01:00",
}


def parse(**fields: object) -> Pull:
    node = msgspec.convert({**BARE, **fields}, PullNode)
    return pull_from_node(node, repository="o/r", repository_id=5)


def nodes(*items: object, **more: object) -> dict[str, object]:
    return {"nodes": list(items), **more}


def test_a_node_without_anything_optional_is_a_pull() -> None:
    pull = parse()
    assert (pull.repository, pull.repository_id, pull.number) == ("o/r", 5, 7)
    assert pull.updated_at == datetime(2024, 1, 2, tzinfo=UTC)
    assert (pull.author, pull.files, pull.reviews, pull.state) == (None, None, None, "open")


@pytest.mark.parametrize(
    ("author", "login", "bot"),
    [
        (None, None, False),
        ({"__typename": "User", "login": "ann"}, "ann", False),
        ({"__typename": "Bot", "login": "dependabot"}, "dependabot[bot]", True),
        ({"__typename": "Bot", "login": "renovate[bot]"}, "renovate[bot]", True),
        ({"__typename": "Mannequin", "login": "old-ann"}, "old-ann", False),
        ({"__typename": "User", "login": "k8s-ci-bot"}, "k8s-ci-bot", True),
    ],
)
def test_authors_are_spelled_as_rest_spells_them(
    author: object, login: str | None, bot: bool
) -> None:
    pull = parse(author=author)
    assert (pull.author, pull.bot) == (login, bot)


def test_a_branch_of_the_repository_itself_keeps_its_stored_name_after_a_rename() -> None:
    own = parse(headRepository={"nameWithOwner": "new/name"}, isCrossRepository=False)
    fork = parse(headRepository={"nameWithOwner": "ann/name"}, isCrossRepository=True)
    assert (own.head_repository, own.repository_names) == ("o/r", ("new/name",))
    assert (fork.head_repository, fork.repository_names) == ("ann/name", ())
    same = parse(headRepository={"nameWithOwner": "O/R"}, isCrossRepository=False)
    assert (same.head_repository, same.repository_names) == ("o/r", ())


def test_file_statuses_are_rests_words_and_unknown_ones_pass() -> None:
    kinds = ["ADDED", "DELETED", "RENAMED", "MODIFIED", "SPLIT", None]
    files = [
        {"path": f"f{place}", "additions": place, "deletions": None, "changeType": kind}
        for place, kind in enumerate(kinds)
    ]
    assert [file.status for file in parse(files=nodes(*files)).files or ()] == [
        "added", "removed", "renamed", "modified", "split", "modified",
    ]  # fmt: skip
    assert parse(files=nodes(files[1])).files == (ChangedFile("f1", "removed", 1, None),)


def test_nulls_in_lists_of_a_partial_answer_are_passed_over() -> None:
    pull = parse(
        labels=nodes({"name": "bug"}, None, {"name": None}),
        assignees=nodes(None, {"login": "ann"}),
        reviewRequests=nodes({"requestedReviewer": None}, {"requestedReviewer": {"login": "bo"}}),
        closingIssuesReferences=nodes(
            {"number": 1, "repository": None},
            {"number": 2, "repository": {"nameWithOwner": "o/other"}},
        ),
        files=nodes(None),
    )
    assert (pull.labels, pull.assignees, pull.reviewers) == (("bug",), ("ann",), ("bo",))
    assert (pull.closes, pull.closed_bugs) == (("o/other#2",), None)
    assert pull.files == ()


@pytest.mark.parametrize(
    ("labels", "total", "bugs"),
    [
        ([["C-bug"]], 1, ("o/r#0",)),
        ([["enhancement"]], 1, ()),
        ([], 0, ()),
        ([["bug"], ["docs"], ["crash"]], 7, ("o/r#0", "o/r#2")),
        ([["docs"]], 2, None),
        ([["docs"], None], 2, None),
        ([["docs"]], None, None),
    ],
)
def test_closed_bugs_are_unknown_where_some_labels_are_and_no_other_issue_is_one(
    labels: list[list[str] | None], total: int | None, bugs: tuple[str, ...] | None
) -> None:
    issues = [
        {
            "number": number,
            "repository": {"nameWithOwner": "o/r"},
            "labels": None if names is None else nodes(None, *({"name": each} for each in names)),
        }
        for number, names in enumerate(labels)
    ]
    pull = parse(closingIssuesReferences=nodes(totalCount=total), labelledIssues=nodes(*issues))
    assert pull.closed_bugs == bugs


def test_reviews_decision_and_checks_are_lower_case_and_drafts_of_reviews_left_out() -> None:
    pull = parse(
        reviews=nodes(
            {"state": "APPROVED", "submittedAt": "2024-01-01T00:00:00Z", "author": None},
            {"state": "PENDING", "author": {"login": "me"}},
        ),
        reviewDecision="REVIEW_REQUIRED",
        commits=nodes({"commit": {"statusCheckRollup": {"state": "FAILURE"}}}, totalCount=3),
    )
    assert pull.reviews == (Review(None, "approved", datetime(2024, 1, 1, tzinfo=UTC)),)
    assert (pull.review_decision, pull.checks, pull.commits) == ("review_required", "failure", 3)


def test_a_merge_commit_counts_only_after_the_merge() -> None:
    assert parse(mergeCommit={"oid": "abc"}).merge_sha is None
    merged = parse(mergeCommit={"oid": "abc"}, mergedAt="2024-01-03T00:00:00Z")
    assert (merged.merge_sha, merged.state) == ("abc", "merged")


def test_a_body_is_cut_to_what_the_record_keeps() -> None:
    assert len(parse(body="x" * (MAX_BODY + 9)).body) == MAX_BODY


@pytest.mark.parametrize(
    "broken", [b"", b"null", b"[]", b'{"data": {"node": 3}}', b'{"data": {"node": {"pullReq']
)
def test_an_answer_of_another_shape_is_an_error_or_empty(broken: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        PULLS.decode(broken)
