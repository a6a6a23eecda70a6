"""Turn the nodes of GitHub's answers into records."""

from collections.abc import Iterable

from pullrisk.fetch.github.documents import Actor, File, Issue, Label, PullNode, ReviewNode
from pullrisk.fetch.github.graphql import Connection, present
from pullrisk.pulls.bug_labels import labelled_as_bug
from pullrisk.pulls.people import NO_NAMES, Account, BotNames, author_facts
from pullrisk.pulls.record import (
    MAX_BODY,
    MAX_FILES,
    MAX_TITLE,
    ChangedFile,
    Pull,
    Review,
    utc,
)
from pullrisk.pulls.rest_shapes import rest_status


def pull_from_node(
    node: PullNode, *, repository: str, repository_id: int | None = None, names: BotNames = NO_NAMES
) -> Pull:
    """The record of a pull of documents/pulls.graphql, with `repository` as its name.

    `names` are the accounts that the settings call bots or persons. The record has only the
    files and reviews of the node; their `page_info` says if there are more.
    """
    author = login(node.author)
    account = Account(login=author or "", type=node.author.type if node.author else None)
    return Pull(
        repository=repository,
        repository_id=repository_id,
        number=node.number,
        created_at=utc(node.created_at),
        updated_at=utc(node.updated_at),
        merged_at=utc(node.merged_at) if node.merged_at else None,
        closed_at=utc(node.closed_at) if node.closed_at else None,
        title=(node.title or "")[:MAX_TITLE],
        body=(node.body or "")[:MAX_BODY],
        author=author,
        **author_facts(account, names, head_ref=node.head_ref_name, text=node.body or ""),
        author_association=node.author_association,
        draft=bool(node.is_draft),
        head_ref=node.head_ref_name,
        head_sha=node.head_ref_oid,
        head_repository=_head_repository(node, repository),
        repository_names=_other_names(node, repository),
        base_ref=node.base_ref_name,
        merge_sha=node.merge_commit.oid if node.merge_commit and node.merged_at else None,
        labels=_label_names(node.labels),
        assignees=_logins(present(node.assignees)),
        reviewers=_logins(_requested_reviewers(node)),
        commits=node.commits.total_count if node.commits else None,
        additions=node.additions,
        deletions=node.deletions,
        changed_files=node.changed_files,
        files=None if node.files is None else changed_files(present(node.files)),
        reviews=None if node.reviews is None else submitted(present(node.reviews)),
        review_decision=_lower(node.review_decision),
        checks=_checks(node),
        closes=tuple(filter(None, map(_issue, present(node.closing_issues_references)))),
        closed_bugs=_closed_bugs(node),
    )


def changed_files(files: Iterable[File]) -> tuple[ChangedFile, ...]:
    """The files, at most MAX_FILES; their status is in the words of the REST API."""
    known = tuple(
        ChangedFile(file.path, rest_status(file.change_type), file.additions, file.deletions)
        for file in files
    )
    return known[:MAX_FILES]


def submitted(reviews: Iterable[ReviewNode]) -> tuple[Review, ...]:
    """The reviews, without those that are not submitted yet."""
    return tuple(
        Review(
            login(review.author),
            review.state.lower(),
            utc(review.submitted_at) if review.submitted_at else None,
        )
        for review in reviews
        if review.state != "PENDING"
    )


def login(actor: Actor | None) -> str | None:
    """The login as in the REST API, where a bot's ends in [bot]; None for a deleted account."""
    if actor is None or not actor.login:
        return None
    suffix = "[bot]" if actor.type == "Bot" and not actor.login.endswith("[bot]") else ""
    return actor.login + suffix


def _head_repository(node: PullNode, repository: str) -> str | None:
    """The repository of the branch: the pull's own by the name that is stored, or a fork."""
    head = node.head_repository.name_with_owner if node.head_repository else None
    return head if head is None or node.is_cross_repository else repository


def _other_names(node: PullNode, repository: str) -> tuple[str, ...]:
    """The name that the repository itself has now, if it was renamed since it was stored."""
    head = node.head_repository.name_with_owner if node.head_repository else None
    if head is None or node.is_cross_repository or head.lower() == repository.lower():
        return ()
    return (head,)


def _logins(actors: Iterable[Actor]) -> tuple[str, ...]:
    return tuple(filter(None, map(login, actors)))


def _requested_reviewers(node: PullNode) -> Iterable[Actor]:
    """Who was asked for a review and has not given it yet."""
    for request in present(node.review_requests):
        if request.requested_reviewer is not None:
            yield request.requested_reviewer


def _lower(value: str | None) -> str | None:
    return value.lower() if value else None


def _checks(node: PullNode) -> str | None:
    for last in present(node.commits):
        if last.commit and last.commit.status_check_rollup:
            return _lower(last.commit.status_check_rollup.state)
    return None


def _closed_bugs(node: PullNode) -> tuple[str, ...] | None:
    """The closed issues that are labelled as bugs; None if none of those with known labels is one,
    and these are not all: there are more, or some are hidden from the token.
    """
    labels = {
        name: _label_names(issue.labels)
        for issue in present(node.labelled_issues)
        if issue.labels is not None and (name := _issue(issue))
    }
    bugs = tuple(name for name, of in labels.items() if labelled_as_bug(of))
    closed = node.closing_issues_references
    return bugs if bugs or (closed is not None and closed.total_count == len(labels)) else None


def _label_names(labels: Connection[Label] | None) -> tuple[str, ...]:
    return tuple(label.name for label in present(labels) if label.name)


def _issue(issue: Issue) -> str | None:
    name = issue.repository.name_with_owner if issue.repository else None
    return f"{name}#{issue.number}" if name else None
