"""The GraphQL documents of `documents/`, each with the type of its answer.

Every field may be null that GitHub leaves out of a partial answer. Enum values are plain
strings, since GitHub adds new ones.
"""

from typing import Final

import msgspec

from pullrisk.fetch.github.graphql import Connection, Data, Document, Shape
from pullrisk.pulls.record import Moment


class Actor(Shape):
    """A user, bot, mannequin or organisation; null if the account was deleted."""

    login: str | None = None
    type: str | None = msgspec.field(default=None, name="__typename")


class Label(Shape):
    """A label."""

    name: str | None = None


class RepositoryName(Shape):
    """A repository of which only the name matters; null if the fork was deleted."""

    name_with_owner: str | None = None


class File(Shape):
    """A changed file."""

    path: str
    additions: int | None = None
    deletions: int | None = None
    change_type: str | None = None


class ReviewNode(Shape):
    """A review."""

    state: str
    submitted_at: Moment | None = None
    author: Actor | None = None


class ReviewRequest(Shape):
    """A request to review; a team has no login."""

    requested_reviewer: Actor | None = None


class Issue(Shape):
    """An issue that the pull closes; `labels` only of the first few, since they are dear."""

    number: int
    repository: RepositoryName | None = None
    labels: Connection[Label] | None = None


class Oid(Shape):
    """A commit."""

    oid: str | None = None


class Rollup(Shape):
    """All check runs and statuses of a commit, together."""

    state: str | None = None


class Commit(Shape):
    """The head commit."""

    status_check_rollup: Rollup | None = None


class PullCommit(Shape):
    """A commit as part of a pull."""

    commit: Commit | None = None


class PullNode(Shape):
    """A pull request as documents/pulls.graphql asks for it."""

    id: str
    number: int
    created_at: Moment
    updated_at: Moment
    merged_at: Moment | None = None
    closed_at: Moment | None = None
    title: str | None = None
    body: str | None = None
    author: Actor | None = None
    author_association: str | None = None
    is_draft: bool | None = None
    head_ref_name: str | None = None
    head_ref_oid: str | None = None
    is_cross_repository: bool = False
    head_repository: RepositoryName | None = None
    base_ref_name: str | None = None
    merge_commit: Oid | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None
    review_decision: str | None = None
    labels: Connection[Label] | None = None
    assignees: Connection[Actor] | None = None
    review_requests: Connection[ReviewRequest] | None = None
    closing_issues_references: Connection[Issue] | None = None
    labelled_issues: Connection[Issue] | None = None
    commits: Connection[PullCommit] | None = None
    files: Connection[File] | None = None
    reviews: Connection[ReviewNode] | None = None


class PullVersion(Shape):
    """A pull of which only number and last update matter."""

    number: int
    updated_at: Moment


class Repository(Shape):
    """A repository; GraphQL addresses it by `id`, and `database_id` never changes."""

    id: str | None = None
    database_id: int | None = None
    name_with_owner: str | None = None
    pull_requests: Connection[PullVersion] | None = None


class PullsRepository(Shape):
    """A repository with a page of its pulls."""

    pull_requests: Connection[PullNode] | None = None


class PullParts(Shape):
    """More files or reviews of one pull."""

    files: Connection[File] | None = None
    reviews: Connection[ReviewNode] | None = None


class Owner(Shape):
    """A user or an organisation, and what it owns."""

    repositories: Connection[Repository] | None = None


class PullsData(Data):
    """Answer to pulls.graphql."""

    node: PullsRepository | None = None


class PartsData(Data):
    """Answer to files.graphql and reviews.graphql."""

    node: PullParts | None = None


class RepositoryData(Data):
    """Answer to repository.graphql."""

    repository: Repository | None = None


class RepositoriesData(Data):
    """Answer to repositories.graphql: in the order of the ids, null for those not found."""

    nodes: list[Repository | None] | None = None


class OwnedData(Data):
    """Answer to owned.graphql."""

    repository_owner: Owner | None = None


class Associated(Shape):
    """A pull that a commit is of."""

    number: int
    merged: bool = False
    repository: RepositoryName | None = None


class BlamedCommit(Shape):
    """A commit that wrote lines."""

    oid: str
    associated_pull_requests: Connection[Associated] | None = None


class BlameRange(Shape):
    """Lines of a file that one commit wrote, both ends included, from 1."""

    starting_line: int
    ending_line: int
    commit: BlamedCommit


class Blame(Shape):
    """A file's lines, in order."""

    ranges: list[BlameRange] | None = None


class BlamedObject(Shape):
    """The commit as of which a file is blamed; without `blame` if it is no commit."""

    blame: Blame | None = None


class BlamedRepository(Shape):
    """A repository of which one commit was asked for."""

    object: BlamedObject | None = None


class BlameData(Data):
    """Answer to blame.graphql."""

    repository: BlamedRepository | None = None


class SearchData(Data):
    """Answer to search.graphql."""

    search: Connection[Repository] | None = None


PULLS: Final = Document("pulls", PullsData)
FILES: Final = Document("files", PartsData)
REVIEWS: Final = Document("reviews", PartsData)
REPOSITORY: Final = Document("repository", RepositoryData)
REPOSITORIES: Final = Document("repositories", RepositoriesData)
OWNED: Final = Document("owned", OwnedData)
SEARCH: Final = Document("search", SearchData)
BLAME: Final = Document("blame", BlameData)
